package guard

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/dsn"
)

// upstream is one distinct server, database and user of the app's environment.
// All fields but the first two are guarded by Guard.mu; what they point to is
// never changed.
type upstream struct {
	id      dsn.Identity
	subject string // how log lines call it: user@server/database

	access *access
	first  int // the first generation that was given it and not drained; 0: none
	last   int // the last generation that was given it

	probe *probing      // the latest probe, nil when there was none
	dial  *dialing      // the session for the next drain, nil when there is none
	swept chan struct{} // closed when what killed devguards left is ended; nil when nobody began

	unclean bool // the last drain failed or left something

	proxy proxied
	stats statistics // has a lock of its own
}

// access is how an upstream is reached, as the environment said it last.
type access struct {
	names    []string // variables that name it
	role     dsn.Role // the closest of theirs
	settings dsn.Settings
	config   *pgconn.Config // for connections of our own
	timeout  time.Duration  // for a drain
	wish     mode           // of the configuration
	listen   string         // likewise: a fixed address beside the listener of our own
}

// survey is what an environment says about databases.
type survey struct {
	upstreams []*upstream // distinct, in the order found; those in mode off are absent
	uses      []use       // what leads to them
	found     []dsn.Found
	whole     bool // nothing was off, unreadable or contradictory: upstreams is all that the app may use
}

// use is one variable, or the PGHOST set, that leads to an upstream.
type use struct {
	dsn.Found
	u *upstream
}

// survey reads the environment of generation gen (0: not a generation's), makes
// its upstreams known, and starts a probe of those whose kind is not known.
func (g *Guard) survey(env map[string]string, gen int) survey {
	found, err := dsn.Find(env, dsn.ReadDir(g.options.Dir), g.names())
	s := survey{found: found, whole: err == nil}
	g.sayProblems(err)
	for _, f := range found {
		d := g.database(f.Name)
		if mode(d.Mode) == modeOff {
			g.sayOff(f.Name, "switched off by the configuration")
			s.whole = false
			continue
		}
		config, id, err := f.Settings.Config(g.options.Dir)
		if err != nil {
			g.sayOff(f.Name, err.Error())
			s.whole = false
			continue
		}
		u := g.learn(f, id, config, d, gen)
		s.uses = append(s.uses, use{f, u})
		if names := f.Settings.Unsupported(g.options.Dir); len(names) > 0 && mode(d.Mode).proxies() {
			g.decline(u, fmt.Sprintf("%s of %s cannot be honoured by a connection of devguard's", strings.Join(names, ", "), f.Name))
		}
		if !slices.Contains(s.upstreams, u) {
			s.upstreams = append(s.upstreams, u)
		}
	}
	for _, u := range s.upstreams {
		if g.access(u).role != dsn.Other {
			g.ensureProbe(u)
			g.ensureSweep(u)
		}
	}
	return s
}

// learn returns the upstream of id, as f describes it now.
func (g *Guard) learn(f dsn.Found, id dsn.Identity, config *pgconn.Config, d Database, gen int) *upstream {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := g.upstreams[id]
	if u == nil {
		u = &upstream{id: id, subject: id.String()}
		g.upstreams[id] = u
	}
	now := access{[]string{f.Name}, f.Role, f.Settings, config, d.DrainTimeout, mode(d.Mode), d.Listen}
	if was := u.access; was != nil {
		if was.role < f.Role {
			now = *was
		}
		now.names = slices.Clone(was.names)
		if !slices.Contains(now.names, f.Name) {
			now.names = append(now.names, f.Name)
		}
	}
	u.access = &now
	if gen > 0 {
		u.first, u.last = cmp.Or(u.first, gen), gen
	}
	return u
}

// access returns how u is reached.
func (g *Guard) access(u *upstream) *access {
	g.mu.Lock()
	defer g.mu.Unlock()
	return u.access
}

// known returns all upstreams, in a stable order.
func (g *Guard) known() []*upstream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.SortedFunc(maps.Values(g.upstreams), func(a, b *upstream) int {
		return strings.Compare(a.subject, b.subject)
	})
}

// names returns the variables that all databases are configured by.
func (g *Guard) names() dsn.Names {
	var n dsn.Names
	for _, d := range g.databases {
		n.URLs = append(n.URLs, d.URLEnv...)
		n.Direct = append(n.Direct, d.DirectURLEnv)
	}
	slices.Sort(n.Direct)
	n.Direct = slices.Compact(n.Direct)
	return n
}

// database returns the configuration that a variable belongs to: the first
// one, when no configuration names it.
func (g *Guard) database(name string) Database {
	for _, d := range g.databases {
		if slices.Contains(d.URLEnv, name) || d.DirectURLEnv == name {
			return d
		}
	}
	return g.databases[0]
}

// sayProblems writes a `database` line for each thing that is wrong with the
// environment.
func (g *Guard) sayProblems(err error) {
	switch all, joined := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case errors.Is(err, dsn.ErrNone):
		g.sayOff("", err.Error())
	case joined:
		for _, one := range all.Unwrap() {
			g.sayProblems(one)
		}
	default:
		g.sayOff(problemSubject(err), err.Error())
	}
}

// problemSubject returns the variable that a message of dsn begins with: a
// problem that changes is said again, one that stays is not.
func problemSubject(err error) string {
	name, _, _ := strings.Cut(err.Error(), " ")
	return name
}
