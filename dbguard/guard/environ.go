package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
)

const (
	// connectionCheck makes a server look every second whether the client of a
	// running query still lives, so that the query ends with devguard's own
	// death too (0.4 s after a kill, measured).
	connectionCheck = "-c client_connection_check_interval=1000"
	// lockTimeout keeps a migration from waiting for ever (603 s were measured)
	// behind a lock of a session that nobody knows of.
	lockTimeout = "-c lock_timeout=10s"
	// probeWait bounds how long a migrating hook waits to learn whether its
	// server takes lockTimeout: a guess at what nobody minds before a migration.
	probeWait = 3 * time.Second
)

// label returns the application name of generation gen's sessions; its first
// labelLength bytes are those of all generations of the run.
func label(run string, gen int) string { return fmt.Sprintf("%s%d", labelOf(run), gen) }

func labelOf(run string) string { return "devguard:" + run + ":" }

// AppEnv returns the environment of generation gen of the app, made of base:
// the process environment with the env_files. After a devguard that was killed
// it waits until that one's sessions are ended, within the drain timeout. Its
// errors are about the embedded database alone.
func (g *Guard) AppEnv(ctx context.Context, gen int, base []string) ([]string, error) {
	base, err := g.withPrivate(ctx, base)
	if err != nil {
		return nil, err
	}
	env := environment(base)
	s := g.survey(dsn.Env(base), gen)
	if len(s.upstreams) == 0 {
		return env.pairs(), nil
	}
	g.awaitSweeps(ctx, s.upstreams)
	if whole := g.route(&env, s, gen); whole {
		return env.pairs(), nil
	}
	if !env.has("PGAPPNAME") {
		env.set("PGAPPNAME", label(g.options.RunID, gen))
	}
	if g.allowsChecks(s) {
		env.prepend("PGOPTIONS", connectionCheck)
	}
	return env.pairs(), nil
}

// allowsChecks reports whether every server that the app may connect to is
// known to take connectionCheck. PGOPTIONS reach them all, and a pooler may
// refuse the login for it: the app must never be worse off.
func (g *Guard) allowsChecks(s survey) bool {
	for _, u := range s.upstreams {
		if v, known := g.verdictOn(u.id.Server); !known || !v.checks {
			return false
		}
	}
	return s.whole
}

// HookEnv returns the environment of a hook, made of base as for AppEnv: with
// the original URLs, never the app's label. For a hook that migrates, the
// direct URL stands in place of the pooler's, and lockTimeout is set when the
// server is known to be one reached directly; to learn that, it may take
// probeWait.
func (g *Guard) HookEnv(ctx context.Context, base []string, migrates bool) ([]string, error) {
	base, err := g.withPrivate(ctx, base)
	if err != nil || !migrates {
		return base, err
	}
	env := environment(base)
	for _, direct := range g.survey(dsn.Env(base), 0).found {
		if direct.Role == dsn.Direct {
			g.goDirect(&env, direct)
		}
	}
	s := g.survey(dsn.Env(env.pairs()), 0)
	g.awaitSweeps(ctx, s.upstreams) // a killed app's locks would block a migration
	if g.direct(ctx, s) {
		env.prepend("PGOPTIONS", lockTimeout)
	}
	return env.pairs(), nil
}

// goDirect puts the direct URL into the variables of its database: those that
// the environment sets, and the first one when only .env has it.
func (g *Guard) goDirect(env *environ, direct dsn.Found) {
	for _, d := range g.databases {
		if d.DirectURLEnv != direct.Name {
			continue
		}
		set := slices.DeleteFunc(slices.Clone(d.URLEnv), func(name string) bool { return env.get(name) == "" })
		if len(set) == 0 {
			set = d.URLEnv[:1]
		}
		for _, name := range set {
			env.set(name, direct.Value)
		}
	}
}

// direct reports whether every server that a hook is told of by name is a
// Postgres reached directly.
func (g *Guard) direct(ctx context.Context, s survey) bool {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	any := false
	for _, u := range s.upstreams {
		if g.access(u).role == dsn.Other {
			continue
		}
		if g.awaitProbe(ctx, u).kind != postgres {
			return false
		}
		any = true
	}
	return any
}

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
