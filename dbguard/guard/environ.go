package guard

import (
	"slices"
	"strings"
)

// environ is an environment in the making, in its original order, each name
// once.
type environ struct{ list []string }

// environment returns a copy of pairs in which a later pair has replaced an
// earlier one of the same name, as os/exec does it.
func environment(pairs []string) environ {
	var e environ
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			e.set(name, value)
		} else {
			e.list = append(e.list, pair)
		}
	}
	return e
}

func (e *environ) index(name string) int {
	return slices.IndexFunc(e.list, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
}

func (e *environ) has(name string) bool { return e.index(name) >= 0 }

func (e *environ) get(name string) string {
	if i := e.index(name); i >= 0 {
		return e.list[i][len(name)+1:]
	}
	return ""
}

func (e *environ) set(name, value string) {
	if i := e.index(name); i >= 0 {
		e.list[i] = name + "=" + value
		return
	}
	e.list = append(e.list, name+"="+value)
}

func (e *environ) unset(name string) {
	if i := e.index(name); i >= 0 {
		e.list = slices.Delete(e.list, i, i+1)
	}
}

// prepend puts words before the value of a variable: of two settings of one
// name a server takes the last, so the user's own win.
func (e *environ) prepend(name, words string) {
	e.set(name, strings.TrimRight(words+" "+e.get(name), " "))
}

func (e *environ) names() []string {
	var names []string
	for _, pair := range e.list {
		if name, _, ok := strings.Cut(pair, "="); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (e *environ) pairs() []string { return e.list }
