package guard

import (
	"slices"

	"github.com/devguard/devguard/dbguard/dsn"
)

// hostSet is how package dsn calls the PGHOST family.
const hostSet = "PGHOST"

// routing leads the variables of an environment to the listeners of their upstreams.
type routing struct {
	survey survey
	env    *environ
	gen    int
	dir    string
}

// run leads them there, with the password of the generation. It reports whether it
// did so for all of them: sessions of the others are found by their label and sockets.
func (r *routing) run() (whole bool) {
	before := dsn.Env(r.env.pairs())
	var uses []use
	targets := map[*upstream]dsn.Target{}
	whole = true
	for _, one := range r.survey.uses {
		if one.File != "" && one.Role != dsn.App {
			continue // an app that reads .env itself connects directly; its sessions are reported as bypass
		}
		to, ok := one.u.target(r.gen)
		if !ok {
			whole = false
			continue
		}
		uses, targets[one.u] = append(uses, one), to
	}
	if len(uses) == 0 {
		return whole
	}
	if !r.clear(uses) {
		return false
	}
	routed := map[string]bool{}
	for _, one := range uses {
		if r.lead(one, targets[one.u]) != nil {
			whole = false
			continue
		}
		routed[one.Name] = true
		one.u.expectClients(r.gen)
	}
	r.pin(before, routed)
	return whole
}

// expectClients opens what the clients of generation gen, which is starting or about
// to, may want beside their listener.
func (u *upstream) expectClients(gen int) {
	u.openFixed()
	v, _ := u.prober.result()
	u.spares.dialAhead(gen, u.labels, v)
	u.spares.limit(gen)
}

// clear takes out of env what says how to connect: a listener knows no TLS. It returns
// false when a PGHOST set needs that which is not led to a listener.
func (r *routing) clear(uses []use) bool {
	found := slices.ContainsFunc(r.survey.found, func(f dsn.Found) bool { return f.Name == hostSet })
	led := slices.ContainsFunc(uses, func(one use) bool { return one.Name == hostSet })
	leaving := dsn.Leaving()
	if found && !led {
		return !slices.ContainsFunc(leaving, r.env.has)
	}
	for _, name := range leaving {
		r.env.unset(name)
	}
	if led || len(uses) == len(r.survey.found) { // else it would be news to the URLs that stay
		r.env.set("PGSSLMODE", "disable")
	}
	return true
}

// lead makes one variable, or a set of them, lead to a listener.
func (r *routing) lead(one use, to dsn.Target) error {
	if one.Set != nil {
		for name, value := range one.Lead(to) {
			r.env.set(name, value)
		}
		return nil
	}
	if one.Name != hostSet {
		value, err := one.Rewrite(to, r.dir)
		if err == nil {
			r.env.set(one.Name, value)
		}
		return err
	}
	set, err := one.Settings.Family(to, r.dir)
	for name, value := range set {
		r.env.set(name, value)
	}
	return err
}

// pin lets the URLs that stay mean what they meant before other variables left.
func (r *routing) pin(before map[string]string, routed map[string]bool) {
	after := dsn.Env(r.env.pairs())
	for _, f := range r.survey.found {
		if routed[f.Name] || f.File != "" || f.Name == hostSet || f.Set != nil {
			continue
		}
		if value, err := f.Pin(before, after, r.dir); err == nil {
			r.env.set(f.Name, value)
		}
	}
}
