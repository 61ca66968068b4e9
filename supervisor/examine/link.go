package examine

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/graph"
	"github.com/devguard/devguard/supervisor/linkcost"
)

// linkWait bounds all questions to the go command about the link.
const linkWait = 20 * time.Second

// link says what a link costs; nil where the program is small or does not load.
func (r Request) link(ctx context.Context, s supervisor.Survey) *doctor.Link {
	if s.Err != nil || s.Graph == nil || !doctor.LinkIsLong(len(s.Graph.Imports)) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, linkWait)
	defer cancel()
	return weigh(ctx, graph.Request{Dir: r.Config.App.BuildDir, Package: r.Config.App.Package, Flags: r.Config.Build.Flags, Env: r.Environ})
}

// weigh says it of a program of any size.
func weigh(ctx context.Context, r graph.Request) *doctor.Link {
	program, err := graph.LoadLinked(ctx, r)
	if err != nil {
		return nil // the check of the graph says so
	}
	cost := linkcost.Weigh(&program.Program)
	out := &doctor.Link{Packages: cost.Packages, Bytes: cost.Bytes, Flags: r.Flags, Tags: program.Tags()}
	out.Modules = modules(ctx, program, cost.Modules)
	return out
}

// modules are what a module costs, and its exit, in the order of cost.
func modules(ctx context.Context, l *graph.Linked, cost []linkcost.Module) (list []doctor.LinkModule) {
	left := exits(ctx, l, cost)
	for _, m := range cost {
		list = append(list, doctor.LinkModule{Path: m.Path, Packages: m.Packages, Bytes: m.Bytes, Within: m.Within, Exit: left[m.Path]})
	}
	return list
}

// exits are the tags by which modules are left out. Of each module the best that the sources
// promise is taken, and the go command asked whether that is so.
func exits(ctx context.Context, l *graph.Linked, modules []linkcost.Module) map[string]*doctor.Exit {
	var above []string
	for _, m := range modules {
		above = append(above, m.Above...)
	}
	slices.Sort(above)
	found := linkcost.Exits(&l.Program, modules, l.Sources(slices.Compact(above)))
	tried := map[string]*trial{}
	var all sync.WaitGroup
	for _, list := range found {
		tag := list[0].Tag
		if tried[tag] == nil {
			t := &trial{}
			tried[tag] = t
			all.Go(func() { t.packages, t.modules, t.err = l.With(ctx, tag) })
		}
	}
	all.Wait()
	out := map[string]*doctor.Exit{}
	for module, list := range found {
		first := list[0]
		if t := tried[first.Tag]; t.err == nil && !slices.Contains(t.modules, module) {
			out[module] = &doctor.Exit{Tag: first.Tag, File: shownFile(first.File), Packages: t.packages}
		}
	}
	return out
}

// trial is what the go command says of the program with one more tag.
type trial struct {
	packages int
	modules  []string
	err      error // it does not load
}

// shownFile is how a file is named: one of the user's by its path from here.
func shownFile(name string) string {
	if filepath.IsAbs(name) {
		return config.Shown(name)
	}
	return name
}
