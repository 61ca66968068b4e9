package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
)

// summary counts what came of the commits.
type summary struct {
	commits, unchanged, broken, fast int
	bodies, fastBodies               int
	refused                          map[string]int
}

func (s *summary) add(o outcome) {
	s.commits++
	switch {
	case o.broken:
		s.broken++
		return
	case !o.changed && !o.fast:
		s.unchanged++
		return
	case o.fast:
		s.fast++
	default:
		if s.refused == nil {
			s.refused = map[string]int{}
		}
		s.refused[string(o.kind)]++
	}
	if o.bodies {
		s.bodies++
		if o.fast {
			s.fastBodies++
		}
	}
}

func (s *summary) print(w io.Writer, o options) {
	fmt.Fprintf(w, "%s, %d commits up to %s:\n", o.repo, s.commits, o.until)
	fmt.Fprintf(w, "%4d change nothing that the program is made of\n", s.unchanged)
	fmt.Fprintf(w, "%4d are not built by the go command\n", s.broken)
	fmt.Fprintf(w, "%4d were built fast, each the same program as the go command's\n", s.fast)
	for _, kind := range slices.SortedFunc(maps.Keys(s.refused), func(a, b string) int {
		return cmp.Or(s.refused[b]-s.refused[a], cmp.Compare(a, b))
	}) {
		fmt.Fprintf(w, "%4d were left to the go command: %s\n", s.refused[kind], kind)
	}
	fmt.Fprintf(w, "%4d change function bodies and comments alone; fast of these: %d\n", s.bodies, s.fastBodies)
}
