package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/devguard/devguard/dbguard/dsn"
)

// survey is what an environment says about databases.
type survey struct {
	upstreams []*upstream // distinct, in the order found; those in mode off are absent
	uses      []use       // what leads to them
	found     []dsn.Found
	whole     bool // nothing was off, unreadable or contradictory: upstreams is all that the app may use
}

// use is one variable, or a set of them, that leads to an upstream.
type use struct {
	dsn.Found
	u *upstream
}

// survey reads the environment of generation gen (0: not a generation's), makes
// its upstreams known, and starts a probe of those whose kind is not known.
func (g *Guard) survey(env map[string]string, gen int) survey {
	names := g.databases.names()
	names.Drivers = driversOf(g.imports)
	found, err := dsn.Find(env, dsn.ReadDir(g.dir), names)
	g.shared.log.problems(err)
	s := survey{found: found, whole: err == nil}
	for _, f := range found {
		u, err := g.learn(f, gen)
		if err != nil {
			g.shared.log.off(f.Name, err.Error())
			s.whole = false
			continue
		}
		s.uses = append(s.uses, use{f, u})
		if !slices.Contains(s.upstreams, u) {
			s.upstreams = append(s.upstreams, u)
		}
	}
	for _, u := range s.upstreams {
		if u.access().role != dsn.Other {
			u.prober.ensure()
			u.sweep(g.upstreams)
		}
	}
	return s
}

// driversOf returns what the drivers of the app, which are among its imports, say about variables
// like DB_HOST.
func driversOf(imports func() ([]string, bool)) dsn.Drivers {
	if imports == nil {
		return dsn.Undecided
	}
	paths, known := imports()
	if !known {
		return dsn.NotListed
	}
	return dsn.DriversOf(paths)
}

// learn returns the upstream that f leads to, as f describes it now; the error says
// why f is not used.
func (g *Guard) learn(f dsn.Found, gen int) (*upstream, error) {
	d := g.databases.of(f.Name)
	wish := mode(d.Mode)
	if wish == modeOff {
		return nil, errSwitchedOff
	}
	config, id, err := f.Settings.Config(g.dir)
	if err != nil {
		return nil, err
	}
	u := g.upstreams.learn(id, access{[]string{f.Name}, f.Role, f.Settings, config, false, d.DrainTimeout, wish, d.Listen})
	if gen > 0 {
		u.giveTo(gen)
	}
	if reason := uncarriable(f, g.dir, wish); reason != "" {
		u.prober.fallBack(reason)
	}
	return u, nil
}

// uncarriable says why sessions as f asks for them cannot be led through us, "" when they can or are
// not to be.
func uncarriable(f dsn.Found, dir string, wish mode) string {
	names := f.Settings.Unsupported(dir)
	if len(names) == 0 || !wish.proxies() {
		return ""
	}
	return fmt.Sprintf("%s of %s cannot be honoured by a connection of devguard's", strings.Join(names, ", "), f.Name)
}
