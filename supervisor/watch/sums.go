package watch

import "github.com/devguard/devguard/supervisor/change"

// sums are the digests of a snapshot, kept up to date with each file.
type sums struct {
	base                                string
	source, shape, runtime, env, config change.Sum
	hooks                               []change.Sum
}

// put counts a file in, take counts it out. The sum of runtime files is left to shift: it is of
// changes, not of files.
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

// shift adds the change of a runtime file from one state to another.
func (s *sums) shift(f *file, from, to fileState) {
	if !f.class.Runtime {
		return
	}
	if from.present {
		s.runtime.Remove(f.name, from.sum)
	}
	if to.present {
		s.runtime.Add(f.name, to.sum)
	}
}
