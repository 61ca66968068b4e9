package guard

import (
	"slices"

	"github.com/devguard/devguard/dbguard/dsn"
)

// hostSet is how package dsn calls the PGHOST family.
const hostSet = "PGHOST"

// route leads the variables of an environment to the listeners of their upstreams,
// with the password of generation gen. It reports whether it did so for all of
// them: sessions of the others are found by their label and sockets.
func (g *Guard) route(env *environ, s survey, gen int) (whole bool) {
	before := dsn.Env(env.pairs())
	var uses []use
	targets := map[*upstream]dsn.Target{}
	whole = true
	for _, one := range s.uses {
		if one.File != "" && one.Role != dsn.App {
			continue // who reads .env by himself has it; his sessions are seen as a bypass
		}
		to, ok := g.target(one.u, gen)
		if !ok {
			whole = false
			continue
		}
		uses, targets[one.u] = append(uses, one), to
	}
	if len(uses) == 0 {
		return whole
	}
	if !g.clear(env, s, uses) {
		return false
	}
	routed := map[string]bool{}
	for _, one := range uses {
		if g.lead(env, one, targets[one.u]) != nil {
			whole = false
			continue
		}
		routed[one.Name] = true
		g.openFixed(one.u)
		g.dialAhead(one.u, gen)
		g.limitSpares(one.u, gen)
	}
	g.pin(env, before, s, routed)
	return whole
}

// target returns where variables of u are to lead; false when they stay.
func (g *Guard) target(u *upstream, gen int) (dsn.Target, bool) {
	if !g.modeOf(u).proxies() {
		v, _ := g.verdictOf(u)
		if g.fallenOf(u) != "" {
			g.sayKind(u, v)
		}
		return dsn.Target{}, false
	}
	l, err := g.openListener(u)
	if err != nil {
		g.decline(u, err.Error())
		g.sayKind(u, verdict{})
		return dsn.Target{}, false
	}
	return dsn.Target{
		Host: "127.0.0.1", Port: addrPort(l.Addr()).Port(), User: u.id.User, Password: g.issue(u, gen), Database: u.id.Database,
	}, true
}

// clear takes out of env what says how to connect: a listener knows no TLS. It returns
// false when a PGHOST set needs that which is not led to a listener.
func (g *Guard) clear(env *environ, s survey, uses []use) bool {
	found := slices.ContainsFunc(s.found, func(f dsn.Found) bool { return f.Name == hostSet })
	led := slices.ContainsFunc(uses, func(one use) bool { return one.Name == hostSet })
	leaving := dsn.Leaving()
	if found && !led {
		return !slices.ContainsFunc(leaving, env.has)
	}
	for _, name := range leaving {
		env.unset(name)
	}
	if led || len(uses) == len(s.found) { // else it would be news to the URLs that stay
		env.set("PGSSLMODE", "disable")
	}
	return true
}

// lead makes one variable, or the PGHOST set, lead to a listener.
func (g *Guard) lead(env *environ, one use, to dsn.Target) error {
	if one.Name != hostSet {
		value, err := one.Rewrite(to, g.options.Dir)
		if err == nil {
			env.set(one.Name, value)
		}
		return err
	}
	set, err := one.Settings.Family(to, g.options.Dir)
	for name, value := range set {
		env.set(name, value)
	}
	return err
}

// pin lets the URLs that stay mean what they meant before other variables left.
func (g *Guard) pin(env *environ, before map[string]string, s survey, routed map[string]bool) {
	after := dsn.Env(env.pairs())
	for _, f := range s.found {
		if routed[f.Name] || f.File != "" || f.Name == hostSet {
			continue
		}
		if value, err := f.Pin(before, after, g.options.Dir); err == nil {
			env.set(f.Name, value)
		}
	}
}
