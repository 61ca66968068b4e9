package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/embedded"
	"github.com/devguard/devguard/dbguard/guard"
	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/statedir"
)

// closeWait bounds how long the database side may take to end its sessions
// when devguard ends.
const closeWait = 10 * time.Second

func openDatabase(ctx context.Context, log *slog.Logger, cfg *config.Config, app supervisor.App, run *statedir.Run, addresses *guard.Addresses) (supervisor.Database, error) {
	o := guard.Options{
		Addresses: addresses, Project: cfg.Dir, Dir: cfg.Work, RunID: run.ID, Previous: run.Previous, Log: log,
		Replace: app.Replace, Pids: app.Pids, Imports: app.Imports,
		Embedded: func(ctx context.Context, project string) (string, func(context.Context) error, error) {
			server, err := embedded.Acquire(ctx, embedded.Options{Project: project, Log: log})
			if err != nil {
				return "", nil, err
			}
			return server.URL(), func(context.Context) error { return server.Close() }, nil
		},
	}
	o.Databases = configured(cfg)
	var err error
	if o.Env, err = config.ReadEnvFiles(cfg.App.EnvFiles, os.Environ()); err != nil {
		return supervisor.Database{}, err
	}
	g, err := guard.Open(ctx, o)
	if err != nil {
		return supervisor.Database{}, err
	}
	return supervisor.Database{
		AppEnv: g.AppEnv, HookEnv: g.HookEnv, Pause: g.Pause, Note: g.RecordSockets, Drain: g.Drain,
		Status: func() any { return databases(g.Status(), time.Now()) },
		Reset: func(ctx context.Context) any {
			done := []control.Reset{}
			for _, r := range g.ResetSessions(ctx) {
				done = append(done, control.Reset(r))
			}
			return done
		},
		Close: func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
			defer cancel()
			if !g.Clean() {
				run.Unclean()
			}
			return g.Close(ctx)
		},
	}, nil
}

// configured are the databases of a configuration.
func configured(cfg *config.Config) (list []guard.Database) {
	for _, d := range cfg.Databases {
		list = append(list, guard.Database{
			URLEnv: d.URLEnv, DirectURLEnv: d.DirectURLEnv, Mode: string(d.Mode), Listen: d.Listen, Embedded: d.Embedded, DrainTimeout: d.DrainTimeout,
		})
	}
	return list
}

// examineDatabases looks at the databases that an environment names.
func examineDatabases(ctx context.Context, cfg *config.Config, env, imports []string, known bool) doctor.Databases {
	x, err := guard.Examine(ctx, guard.Options{
		Dir: cfg.Work, Databases: configured(cfg), Env: env, Imports: func() ([]string, bool) { return imports, known },
	})
	if err != nil {
		return doctor.Databases{Loose: []doctor.Trouble{{Text: err.Error(), Fix: logline.HintOf(err)}}}
	}
	migrates := slices.ContainsFunc(cfg.Hooks, func(h config.Hook) bool { return h.Migrates })
	all := doctor.Databases{Named: x.Named, Embedded: x.Embedded}
	for _, l := range x.Loose {
		all.Loose = append(all.Loose, doctor.Trouble{Text: l.Reason, Fix: l.Fix})
	}
	for _, s := range x.Servers {
		d := doctor.Database{
			Variables: strings.Join(s.Variables, ", "), Name: s.Name, Role: doctor.Role(s.Role - dsn.App),
			Version: s.Version, RoundTrip: s.RoundTrip, TLS: s.TLS, Local: s.Local,
			Kind: s.Kind, Mode: s.Mode, Reason: s.Reason, Fallback: s.Fallback, Rights: s.Rights, Grant: s.Grant, Single: s.Single,
			MigratesThere: migrates && !s.DirectSet, DirectEnv: s.DirectEnv,
		}
		if s.Err != "" {
			d.Failed = &doctor.DatabaseTrouble{Text: s.Err, Code: s.Code}
		}
		all.Found = append(all.Found, d)
	}
	return all
}

// databases are those of a guard as others may see them.
func databases(s guard.Status, now time.Time) []control.Database {
	all := []control.Database{}
	for _, u := range s.Upstreams {
		d := control.Database{
			Name: u.Name, Mode: u.Mode, Kind: u.Kind, Reason: u.Reason, Listen: u.Listen, Paused: u.Paused, Spares: u.Spares,
			Sessions: []control.Session{}, Generations: []control.Generation{},
		}
		for _, one := range u.Sessions {
			in := now.Sub(one.BackendStart)
			if !one.StateChange.IsZero() {
				in = now.Sub(one.StateChange)
			}
			d.Sessions = append(d.Sessions, control.Session{
				Gen: one.Gen, PID: one.PID, State: one.State, AgeMS: now.Sub(one.BackendStart).Milliseconds(), InMS: in.Milliseconds(), Query: one.Query,
			})
		}
		for _, g := range u.Generations {
			d.Generations = append(d.Generations, control.Generation(g))
		}
		all = append(all, d)
	}
	return all
}
