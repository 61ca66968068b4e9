package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/devguard/devguard/dbguard/dsn"
)

// private is the embedded server; what follows done may be read once it is
// closed.
type private struct {
	done    chan struct{}
	url     string
	env     map[string]string // the variables of the PGHOST family that lead to it
	release func(context.Context) error
	err     error
}

// openPrivate begins to start the embedded server when a database asks for it.
func (g *Guard) openPrivate() error {
	if !slices.ContainsFunc(g.databases, func(d Database) bool { return d.Embedded }) {
		return nil
	}
	if g.options.Embedded == nil {
		return errors.New("an embedded database is asked for, and this devguard has none")
	}
	p := &private{done: make(chan struct{})}
	g.private = p
	g.background(func() {
		defer close(p.done)
		if p.url, p.release, p.err = g.options.Embedded(g.ctx, g.options.Project); p.err != nil {
			return
		}
		p.env, p.err = family(p.url)
	})
	return nil
}

// closePrivate releases the embedded server. The work of openPrivate is over.
func (g *Guard) closePrivate(ctx context.Context) error {
	if g.private == nil || g.private.release == nil {
		return nil
	}
	return g.private.release(ctx)
}

// family returns the PGHOST set that leads where the URL leads.
func family(url string) (map[string]string, error) {
	s, err := dsn.Parse(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of the embedded database: %w", err)
	}
	env := map[string]string{"PGSSLMODE": "disable"}
	for name, key := range map[string]string{
		"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname",
	} {
		if v := s.Get(key); v != "" {
			env[name] = v
		}
	}
	return env, nil
}

// withPrivate returns the environment with every variable that leads to a
// database leading to the embedded one, once that runs. Without an embedded
// database it returns base as it is.
func (g *Guard) withPrivate(ctx context.Context, base []string) ([]string, error) {
	if g.private == nil {
		return base, nil
	}
	select {
	case <-g.private.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the embedded database: %w", ctx.Err())
	}
	if err := g.private.err; err != nil {
		return nil, fmt.Errorf("start the embedded database: %w", err)
	}
	replaced := maps.Clone(g.private.env)
	for _, d := range g.databases {
		if d.Embedded {
			for _, name := range append(slices.Clone(d.URLEnv), d.DirectURLEnv) {
				replaced[name] = g.private.url
			}
		}
	}
	env := environment(base)
	var overridden []string
	for _, name := range env.names() {
		if _, ours := replaced[name]; ours || dsn.IsVariable(name) {
			if env.get(name) != replaced[name] {
				overridden = append(overridden, name)
			}
			env.unset(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(replaced)) {
		env.set(name, replaced[name])
	}
	g.sayOverridden(overridden)
	return env.pairs(), nil
}

// sayOverridden names the variables of the user that lead elsewhere now, once.
func (g *Guard) sayOverridden(names []string) {
	slices.Sort(names)
	reason := "the embedded database is used"
	if len(names) > 0 {
		reason += " in place of " + strings.Join(names, ", ") + " of the environment"
	}
	g.sayEmbedded(reason)
}
