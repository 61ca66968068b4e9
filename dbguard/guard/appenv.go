package guard

import (
	"context"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/supervisor/logline"
)

const (
	// lockTimeout keeps a migration from waiting for ever (603 s were measured)
	// behind a lock of a session that nobody knows of.
	lockTimeout = "-c lock_timeout=10s"
	// probeWait bounds how long a migrating hook waits to learn whether its
	// server takes lockTimeout: a guess at what nobody minds before a migration.
	probeWait = 3 * time.Second
)

// AppEnv returns the environment of generation gen of the app, made of base:
// the process environment with the env_files. While the generation before still runs it begins
// to open what its drain and gen will need. After a devguard that was killed
// it waits until that one's sessions are ended, within the drain timeout. Its
// errors are about the embedded database alone.
func (g *Guard) AppEnv(ctx context.Context, gen int, base []string) ([]string, error) {
	base, err := g.embedded.replace(ctx, base)
	if err != nil {
		return nil, err
	}
	env := environment(base)
	s := g.survey(dsn.Env(base), gen)
	g.dialForDrains(gen - 1)
	g.lookPast(gen)
	if len(s.upstreams) == 0 {
		return env.pairs(), nil
	}
	awaitSweeps(ctx, s.upstreams)
	r := routing{survey: s, env: &env, gen: gen, dir: g.dir}
	if whole := r.run(); whole {
		return env.pairs(), nil
	}
	if !env.has("PGAPPNAME") {
		env.set("PGAPPNAME", g.shared.labels.of(gen))
	}
	if s.whole && g.upstreams.takeChecks(s.upstreams) {
		env.prepend("PGOPTIONS", connectionCheck)
	}
	return env.pairs(), nil
}

// HookEnv returns the environment of a hook, made of base as for AppEnv: with
// the original URLs, never the app's label. For a hook that migrates, the
// direct URL stands in place of the pooler's, and lockTimeout is set when the
// server is known to be one reached directly; to learn that, it may take
// probeWait.
func (g *Guard) HookEnv(ctx context.Context, base []string, migrates bool) ([]string, error) {
	base, err := g.embedded.replace(ctx, base)
	if err != nil || !migrates {
		return base, err
	}
	env := environment(base)
	for _, direct := range g.survey(dsn.Env(base), 0).found {
		if direct.Role == dsn.Direct {
			g.databases.goDirect(&env, direct)
		}
	}
	s := g.survey(dsn.Env(env.pairs()), 0)
	awaitSweeps(ctx, s.upstreams) // a killed app's locks would block a migration
	if s.direct(ctx) {
		env.prepend("PGOPTIONS", lockTimeout)
	} else {
		g.warnOfPoolers(s)
	}
	return env.pairs(), nil
}

// warnOfPoolers says, once for each, through which transaction poolers hooks that
// migrate go.
func (g *Guard) warnOfPoolers(s survey) {
	for _, one := range s.uses {
		v, _ := one.u.prober.result()
		if one.Role != dsn.App || v.kind != transactionPooler || !g.shared.log.first("migrates through "+one.u.name) {
			continue
		}
		direct := g.databases.of(one.Name).DirectURLEnv
		named := slices.ContainsFunc(s.uses, func(other use) bool { return other.Name == direct })
		logline.MigratesThroughPooler(one.u.name, direct, named).To(g.shared.log.Logger)
	}
}

// goDirect puts the direct URL into the variables of its database: those that
// the environment sets, and the first one when only .env has it.
func (list databases) goDirect(env *environ, direct dsn.Found) {
	for _, d := range list {
		if d.DirectURLEnv != direct.Name {
			continue
		}
		urls := slices.DeleteFunc(slices.Clone(d.URLEnv), func(name string) bool { return dsn.IsHostVariable(name) && !dsn.IsURL(env.get(name)) })
		set := slices.DeleteFunc(slices.Clone(urls), func(name string) bool { return env.get(name) == "" })
		if len(set) == 0 {
			set = urls[:min(1, len(urls))]
		}
		for _, name := range set {
			env.set(name, direct.Value)
		}
	}
}

// direct reports whether every server that a hook is told of by name is a
// Postgres reached directly.
func (s survey) direct(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	any, all := false, true
	for _, u := range s.upstreams {
		if u.access().role == dsn.Other {
			continue
		}
		all = u.prober.await(ctx).kind == postgres && all
		any = true
	}
	return any && all
}
