package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/graph"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/watch"
)

// maxLists bounds how often a listing is repeated because files changed while
// it ran; the watcher asks for another one anyway if they go on changing.
const maxLists = 3

// list reads the import graph and hands it to the watcher. Files that changed
// while the go command was reading them may have been listed as they were, or
// half-written, so it reads again.
func (s *Supervisor) list(e reload.List) doer {
	cfg, old, first := s.cfg, s.graph, !s.listed
	return func(ctx context.Context) reload.Event {
		ev := reload.Listed{ID: e.ID}
		goflags := askGoflags(ctx, cfg, s.Environ)
		defer goflags()
		g := old
		for range maxLists {
			began := time.Now()
			before, err := s.watch.Sync(ctx)
			if err != nil {
				ev.Err = err
				return ev
			}
			g, ev.Err = load(ctx, cfg, s.Environ, old)
			if ctx.Err() != nil {
				return ev // what cancelled it lists anew, perhaps by another plan
			}
			ev.Fatal = g == nil && ev.Err != nil || graph.Fatal(ev.Err)
			if ev.Fatal && first {
				return ev
			}
			if ev.Snapshot, err = s.watch.Apply(ctx, watchPlan(cfg, g)); err != nil {
				ev.Err = errors.Join(ev.Err, err)
				return ev
			}
			found := ev.Snapshot.Adopted
			if found.After(ev.Adopted) {
				ev.Adopted = found // the next look finds them known
			}
			ev.Stale = ev.Snapshot.Headers != before.Headers
			if !ev.Stale && found.Before(began) {
				break
			}
		}
		if first {
			ev.StaleConfig = s.configChanged(cfg)
		}
		flags, flagsErr := goflags()
		dirs, files, mode := s.watch.Stats()
		ev.Brings = func() {
			s.graph, s.listed = g, true
			s.imports.Store(importsOf(g))
			if flagsErr == nil {
				s.goflags = &flags
			}
			s.logWatching(watched{dirs, files, mode})
		}
		return ev
	}
}

// importsOf returns the imports of a graph, an empty list for that of a command.
func importsOf(g *classify.Graph) *[]string {
	if g == nil {
		return new([]string)
	}
	return &g.Imports
}

// askGoflags asks beside the listing, which takes ten times as long, and returns
// what waits for the answer.
func askGoflags(ctx context.Context, cfg *config.Config, environ []string) func() (string, error) {
	var flags string
	var err error
	var asked sync.WaitGroup
	asked.Go(func() { flags, err = build.Goflags(ctx, cfg.App.BuildDir, environ) })
	return func() (string, error) {
		asked.Wait()
		return flags, err
	}
}

// load returns the graph of the configured package; nil for a command. Of a
// broken tree it returns what there is together with what there was, so that
// the repair is seen wherever it is made.
func load(ctx context.Context, cfg *config.Config, environ []string, old *classify.Graph) (*classify.Graph, error) {
	if len(cfg.App.Command) > 0 {
		return nil, nil
	}
	g, err := graph.Load(ctx, graph.Request{
		Dir:     cfg.App.BuildDir,
		Package: cfg.App.Package,
		Flags:   cfg.Build.Flags,
		Env:     environ,
	})
	switch {
	case err == nil, old == nil:
		return g, err
	case g == nil:
		return old, err
	}
	return graph.Union(old, g), err
}

// Classifier returns what a change of a file would ask for, for explain. When git does not say what
// it ignores, it logs why.
func Classifier(ctx context.Context, cfg *config.Config, environ []string, log *slog.Logger) (func(path string) classify.Class, error) {
	g, err := load(ctx, cfg, environ, nil)
	if graph.Fatal(err) || g == nil && err != nil {
		return nil, err
	}
	rules := Rules(cfg, g)
	rules.Ignored = watch.GitIgnored(ctx, func(n change.Note) { logline.Note(n.Warn, n.Msg, n.Hint).To(log) })
	if !fast(cfg) {
		return rules.Explain, nil
	}
	wayOf := waysOf(func() (*fastbuild.Plan, error) {
		tmp, err := os.MkdirTemp("", "devguard-explain-")
		if err != nil {
			return nil, err
		}
		return survey(ctx, build.Request{Dir: cfg.App.BuildDir, Package: cfg.App.Package, Flags: cfg.Build.Flags, Env: environ}, tmp)
	})
	return func(path string) classify.Class {
		c := rules.Explain(path)
		if c.Source {
			if way := wayOf(path); way != "" {
				c.Reason += "; " + way
			}
		}
		return c
	}, nil
}
