package supervisor

import (
	"bytes"
	"context"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// configChanged reports whether devguard.toml was edited between the reading of
// the configuration and the first look of the watcher.
func (s *Supervisor) configChanged(cfg *config.Config) bool {
	if cfg.Path == "" {
		return false
	}
	now, err := os.ReadFile(cfg.Path)
	return err != nil || !bytes.Equal(now, s.ConfigBytes)
}

// loadConfig reads devguard.toml again.
func (s *Supervisor) loadConfig(e reload.LoadConfig) doer {
	old, oldDB := s.cfg, s.db
	return func(ctx context.Context) reload.Event {
		ev := reload.ConfigLoaded{ID: e.ID}
		cfg, err := s.LoadConfig()
		if err != nil {
			ev.Err = err
			return ev
		}
		db, err := s.databaseFor(cfg, old, oldDB)
		if err != nil {
			ev.Err = err
			return ev
		}
		ev.Options = s.decisions(cfg)
		ev.Rebuild = !sameBuild(old, cfg)
		ev.Same = sameButStart(old, cfg)
		ev.Retires = db != oldDB
		ev.Brings = func() { s.applyConfig(cfg, db) }
		return ev
	}
}

// databaseFor returns the database side for a changed configuration. One that is about
// the same databases keeps the side it has: its addresses and the sessions of others on
// them stay.
func (s *Supervisor) databaseFor(cfg, old *config.Config, oldDB *Database) (*Database, error) {
	if sameDatabases(old, cfg) {
		_, err := s.baseEnv(cfg) // as opening another one would have found out
		return oldDB, err
	}
	db, err := s.OpenDatabase(cfg, s.app())
	return &db, err
}

// applyConfig makes cfg the one that effects are started with from now on.
func (s *Supervisor) applyConfig(cfg *config.Config, db *Database) {
	if !samePackage(s.cfg, cfg) {
		s.graph = nil
	}
	if !sameBuild(s.cfg, cfg) {
		s.plan, s.noPlan = nil, reload.Refusal{}
	}
	if keys := startKeys(s.cfg, cfg); len(keys) > 0 {
		logline.Note(true, "read at the start of devguard alone, so not changed now: "+strings.Join(keys, ", "), startHint).To(s.Log)
	}
	// The folder, the terminal: what devguard has taken at its start, it keeps.
	kept := *cfg
	kept.Name, kept.App.Stdin, kept.Front = s.cfg.Name, s.cfg.App.Stdin, s.cfg.Front
	if db != s.db {
		s.retired = append(s.retired, s.db)
	}
	s.cfg, s.db = &kept, db
}

// startHint says how keys that are read at the start alone are changed.
const startHint = "stop devguard and start it again, and what is written there applies"

// sameButStart reports whether two configurations differ, and in keys that are read at the start alone.
func sameButStart(old, now *config.Config) bool {
	if len(startKeys(old, now)) == 0 {
		return false
	}
	was, is := *old, *now
	is.Name, is.LogFormat, is.Control, is.Verbose = was.Name, was.LogFormat, was.Control, was.Verbose
	is.App.Stdin, is.Front, is.Watch.Poll = was.App.Stdin, was.Front, was.Watch.Poll
	was.Hooks, is.Hooks = withoutLines(was.Hooks), withoutLines(is.Hooks)
	return reflect.DeepEqual(was, is)
}

// withoutLines are hooks wherever they stand in the file.
func withoutLines(hooks []config.Hook) []config.Hook {
	hooks = slices.Clone(hooks)
	for i := range hooks {
		hooks[i].Line = 0
	}
	return hooks
}

// startKeys names the keys that differ and are read at the start alone.
func startKeys(old, now *config.Config) (keys []string) {
	differs := func(key string, yes bool) {
		if yes {
			keys = append(keys, key)
		}
	}
	same := samePackage(old, now) && slices.Equal(old.App.Command, now.App.Command) // else the default differs too
	differs("name", same && old.Name != now.Name)
	differs("log_format", old.LogFormat != now.LogFormat)
	differs("control", old.Control != now.Control)
	differs("verbose", old.Verbose != now.Verbose)
	differs("app.stdin", old.App.Stdin != now.App.Stdin)
	differs("front", !reflect.DeepEqual(old.Front, now.Front))
	differs("watch.poll", old.Watch.Poll != now.Watch.Poll)
	return keys
}
