package watch

import (
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// sums are the digests of a snapshot, kept up to date with each file.
type sums struct {
	base                       string
	source, shape, env, config change.Sum
	hooks                      []change.Sum

	runtime, styles, scripts change.Sum // of changes, not of files
}

// put counts a file in, take counts it out. The sums of changes are left to
// shift.
func (s *sums) put(f *file)  { s.each(f, (*change.Sum).Add) }
func (s *sums) take(f *file) { s.each(f, (*change.Sum).Remove) }

func (s *sums) each(f *file, do func(*change.Sum, string, change.Digest)) {
	if !f.present {
		return
	}
	c := f.class
	if c.Source {
		do(&s.source, f.name, f.sum)
	}
	if c.Role != 0 {
		do(&s.shape, f.name, f.head)
	}
	if c.Env {
		do(&s.env, f.name, f.sum)
	}
	if c.Config {
		do(&s.config, f.name, f.sum)
	}
	for _, i := range c.Hooks { // by relative names: this digest is compared after the checkout was moved, too
		do(&s.hooks[i], slashRel(s.base, f.name), f.sum)
	}
}

// shift adds the change of a file that a glob alone names, from one state to another.
func (s *sums) shift(f *file, from, to fileState) {
	sum := s.ofChanges(f.class)
	if sum == nil {
		return
	}
	if from.present {
		sum.Remove(f.name, from.sum)
	}
	if to.present {
		sum.Add(f.name, to.sum)
	}
}

// ofChanges is the sum that changes of such a file are counted in; nil for another.
func (s *sums) ofChanges(c classify.Class) *change.Sum {
	switch {
	case c.Runtime:
		return &s.runtime
	case c.Asset == classify.Style:
		return &s.styles
	case c.Asset == classify.Script:
		return &s.scripts
	}
	return nil
}
