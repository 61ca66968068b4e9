package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/devguard/devguard/supervisor/fastbuild"
)

// random makes edits, each after the other, and builds both ways after each. One that is refused, or that
// nobody builds, is taken back: the plan of before is then that of the tree again.
type random struct {
	b    *builder
	m    *module
	r    *rand.Rand
	sum  edits
	base map[string]bool // what was in the build cache before the first edit
}

func newRandom(b *builder, tree checkout, id string, seed uint64) (*random, error) {
	if err := tree.take(id); err != nil {
		return nil, err
	}
	packages, err := list(b.ctx, b.plain.Dir, b.plain.Package, b.plain.Env)
	if err != nil {
		return nil, err
	}
	if res := b.real(b.ctx); res.Err != nil { // first: nothing is recorded of files that were written just now
		return nil, res.Err
	}
	if _, err := b.record(); err != nil {
		return nil, err
	}
	if b.plan == nil {
		return nil, fmt.Errorf("nothing is recorded of %s", tree.name(id))
	}
	c := &random{b: b, m: newModule(b.plain.Dir, packages), r: rand.New(rand.NewPCG(seed, 0)), base: map[string]bool{}}
	return c, c.cached(func(name string) error { c.base[name] = true; return nil })
}

// run makes n edits.
func (c *random) run(n int) error {
	for i := 1; i <= n && c.b.ctx.Err() == nil; i++ {
		c.m.n = i
		k, e := c.draw()
		one, err := c.edit(e)
		if c.b.ctx.Err() != nil {
			return nil // what was done counts
		}
		if err != nil {
			return err
		}
		c.sum.add(k, one)
		fmt.Fprintf(os.Stderr, "%4d/%d %s: %s\n", i, n, k.name, one.way())
		if i%100 == 0 {
			if err := c.forget(); err != nil {
				return err
			}
		}
	}
	return nil
}

// draw returns an edit that changes something.
func (c *random) draw() (kind, edit) {
	sum := 0
	for _, k := range kinds {
		sum += k.often
	}
	for {
		n := c.r.IntN(sum)
		i := slices.IndexFunc(kinds, func(k kind) bool { n -= k.often; return n < 0 })
		for range 20 { // files: few have a generic function
			if e, ok := kinds[i].make(c.m, c.r); ok {
				return kinds[i], e
			}
		}
	}
}

func (c *random) edit(e edit) (one outcome, err error) {
	undo, err := c.m.write(e)
	if err != nil {
		return one, err
	}
	if err := c.b.fast(&one); err != nil || one.fast {
		return one, err
	}
	if _, err := c.m.write(undo); err != nil {
		return one, err
	}
	if one.kind == fastbuild.Unchanged {
		return one, fmt.Errorf("an edit was not seen: %v", slices.Sorted(maps.Keys(e.files)))
	}
	return one, nil
}

// forget removes from the build cache what came of the edits, which no later one needs: thousands of
// edits would fill the disk.
func (c *random) forget() error {
	return c.cached(func(name string) error {
		if c.base[name] {
			return nil
		}
		return os.Remove(name)
	})
}

// cached calls do for each file of the build cache.
func (c *random) cached(do func(name string) error) error {
	return filepath.WalkDir(c.b.cache, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return do(name)
	})
}

// edits counts what came of edits.
type edits struct {
	single, fastSingle int
	total, fast        int
	broken             int
	by                 map[string]map[string]int // by the kind of the edit and the way it went
}

func (s *edits) add(k kind, o outcome) {
	s.total++
	way := string(o.kind)
	switch {
	case o.fast:
		s.fast++
		way = "fast"
	case o.broken:
		s.broken++
		way = "does not build"
	}
	if k.single && !o.broken {
		s.single++
		if o.fast {
			s.fastSingle++
		}
	}
	if s.by == nil {
		s.by = map[string]map[string]int{}
	}
	if s.by[k.name] == nil {
		s.by[k.name] = map[string]int{}
	}
	s.by[k.name][way]++
}

func (s *edits) print(w io.Writer, o options) {
	fmt.Fprintf(w, "%s at %s, %d edits with seed %d:\n", o.repo, o.until, s.total, o.seed)
	fmt.Fprintf(w, "%4d were built fast, each the same program as the go command's\n", s.fast)
	fmt.Fprintf(w, "%4d are built neither way\n", s.broken)
	fmt.Fprintf(w, "%4d were left to the go command\n", s.total-s.fast-s.broken)
	fmt.Fprintf(w, "%4d change one Go file, not its imports; fast of these: %d (%.1f %%)\n", s.single, s.fastSingle, 100*float64(s.fastSingle)/float64(max(1, s.single)))
	for _, k := range kinds {
		ways := s.by[k.name]
		for _, way := range slices.SortedFunc(maps.Keys(ways), func(a, b string) int { return cmp.Or(ways[b]-ways[a], cmp.Compare(a, b)) }) {
			fmt.Fprintf(w, "%4d %s: %s\n", ways[way], k.name, way)
		}
	}
}
