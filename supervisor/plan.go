package supervisor

import (
	"encoding/hex"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/dotenv"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/graph"
	"github.com/devguard/devguard/supervisor/paths"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/watch"
)

// Rules are the rules of classification that a configuration and a graph make.
// g is nil for a command.
func Rules(cfg *config.Config, g *classify.Graph) *classify.Rules {
	r := &classify.Rules{
		Base:     cfg.Dir,
		Graph:    g,
		Command:  len(cfg.App.Command) > 0,
		Include:  cfg.Watch.Include,
		Exclude:  cfg.Watch.Exclude,
		EnvFiles: cfg.App.EnvFiles,
		Config:   cfg.Path,
	}
	if cfg.Path == "" {
		r.Base = includeRoot(cfg, g)                    // devguard may have been started further down
		r.Config = filepath.Join(cfg.Work, config.File) // where `devguard init` would write one
	}
	if cfg.Front.Listen != "" && cfg.Front.LiveReload {
		r.Assets = cfg.Front.Reload
	}
	for _, h := range cfg.Hooks {
		r.Hooks = append(r.Hooks, classify.Hook{Name: h.Name, Watch: h.Watch, Outputs: h.Outputs})
	}
	return r
}

// watchPlan is what the watcher has to look at.
func watchPlan(cfg *config.Config, g *classify.Graph) watch.Plan {
	return watch.Plan{
		Rules: Rules(cfg, g), Walk: []string{includeRoot(cfg, g)}, GitDir: watch.GitDir(cfg.Dir), Header: graph.Header,
	}
}

// includeRoot is the tree that watch.include is about: the configuration's
// directory, or without a configuration the main module; the directory that the app runs in when
// the module is below that.
func includeRoot(cfg *config.Config, g *classify.Graph) string {
	if cfg.Path == "" && g != nil && len(g.Roots) > 0 && !paths.Within(g.Roots[0], cfg.Work) {
		return g.Roots[0]
	}
	return cfg.Dir
}

// watchOptions are how to watch; stateDir is where the watcher may have a file of its own.
func watchOptions(cfg *config.Config, stateDir string) watch.Options {
	o := watch.Options{Poll: watch.PollAuto, CookieDir: stateDir}
	switch cfg.Watch.Poll.Mode {
	case config.PollOff:
		o.Poll = watch.PollOff
	case config.PollOn:
		o.Poll = cfg.Watch.Poll.Every
	}
	return o
}

// decisions are the settings that the decider needs. env is what the app would get; last
// returns the fingerprint of the last success of a hook.
func decisions(cfg *config.Config, env []string, last func(key string) string) reload.Options {
	o := reload.Options{Command: len(cfg.App.Command) > 0, RestartOnCrash: cfg.App.RestartOnCrash, Fast: fast(cfg)}
	for _, h := range cfg.Hooks {
		hook := reload.Hook{Name: h.Name, Key: hookKey(cfg, h, env), Migrates: h.Migrates}
		switch h.Then {
		case config.ThenRestart:
			hook.Then = reload.ThenRestart
		case config.ThenReload:
			hook.Then = reload.ThenReload
			if makesStyles(h) {
				hook.Then = reload.ThenRestyle
			}
		case config.ThenNone:
			hook.Then = reload.ThenNone
		}
		hex.Decode(hook.Last[:], []byte(last(hook.Key))) // nonsense matches no file
		o.Hooks = append(o.Hooks, hook)
	}
	return o
}

// fast reports whether builds do without the go command where they can.
func fast(cfg *config.Config) bool {
	return fastbuild.Supported && cfg.Build.Fast == config.FastAuto && len(cfg.App.Command) == 0
}

// makesStyles reports whether a hook makes stylesheets and nothing else, as far as it says.
func makesStyles(h config.Hook) bool {
	return len(h.Outputs) > 0 && !slices.ContainsFunc(h.Outputs, func(glob string) bool { return !strings.HasSuffix(glob, ".css") })
}

// hookKey is what the runs of a hook are kept under, for all devguards of the project: an
// edited command is another hook, which has not run yet, and so is a migration of another
// database.
func hookKey(cfg *config.Config, h config.Hook, env []string) string {
	key := append([]string{h.Name, h.Shell}, h.Command...)
	if h.Migrates {
		key = append(append(key, "of"), databasesIn(cfg, env)...)
	}
	return strings.Join(key, "\x00")
}

// databasesIn returns which databases an environment names, without the passwords.
func databasesIn(cfg *config.Config, env []string) []string {
	names := []string{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"}
	for _, d := range cfg.Databases {
		names = append(append(names, d.URLEnv...), d.DirectURLEnv)
	}
	if len(cfg.Databases) == 0 {
		names = append(append(names, dotenv.DatabaseURLs()...), dotenv.DirectDatabaseURL)
	}
	for i, name := range names {
		value := config.Lookup(env, name)
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			value = u.User.Username() + "@" + u.Host + u.Path
		}
		names[i] = value
	}
	return names
}

// sameBuild reports whether two configurations build the same thing alike.
func sameBuild(a, b *config.Config) bool {
	return samePackage(a, b) && slices.Equal(a.Build.Flags, b.Build.Flags) && a.Build.Debug == b.Build.Debug && a.Build.Fast == b.Build.Fast
}

func samePackage(a, b *config.Config) bool {
	return a.App.Package == b.App.Package && a.App.BuildDir == b.App.BuildDir
}

// sameDatabases reports whether two configurations are about the same databases, and
// do the same with them. What the environment says of them is read at each start.
func sameDatabases(a, b *config.Config) bool {
	return a.Dir == b.Dir && a.Work == b.Work && reflect.DeepEqual(a.Databases, b.Databases)
}
