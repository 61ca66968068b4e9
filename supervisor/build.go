package supervisor

import (
	"context"
	"path"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// build runs one go build and looks at its inputs once more when it is done:
// an event may still be in the kernel's queue.
func (s *Supervisor) build(e reload.Build) doer {
	first := s.first
	req := s.buildRequest(e.Gen)
	quick, plan := s.quick(e, req), s.plan
	if first && s.Progress {
		req.Progress = s.Screen.Packages
	}
	return func(ctx context.Context) reload.Event {
		if err := s.mendFolder(); err != nil {
			return reload.Built{ID: e.ID, Err: err}
		}
		var pruned sync.WaitGroup // beside the build: it takes a millisecond, or twenty
		pruned.Go(func() {
			s.warn(s.StateDir.Prune(append(e.Keep[:], e.Gen)...))
			s.pruneObjects(s.objects(e.ID), plan)
		})
		begin := time.Now()
		made := quick(ctx)
		res := made.result
		if !made.done {
			tried := time.Since(begin)
			res = build.Run(ctx, req)
			res.Took += tried
		}
		pruned.Wait()
		s.Screen.Clear()
		s.warn(res.Warning)
		var snap change.Snapshot // none: the next build looks
		var err error
		if !res.Cancelled {
			snap, err = s.lookAgain(context.WithoutCancel(ctx), res.Err != nil)
		}
		if res.Err == nil {
			res.Err = err
		}
		ev := reload.Built{
			ID: e.ID, Snapshot: snap, Binary: res.Digest, Path: res.Out,
			Took: res.Took, Link: res.Link, Cancelled: res.Cancelled, Err: res.Err,
			Fast: made.done, Refused: made.refused, Lasting: made.lasting,
		}
		if res.Err != nil {
			ev.Detail = diagnostics(req.Dir, res.Diagnostics)
		}
		ev.Brings = func() {
			s.first = s.first && res.Cancelled
			s.takePlan(e, made, res)
		}
		return ev
	}
}

// buildRequest is what the go command is asked for.
func (s *Supervisor) buildRequest(gen int) build.Request {
	cfg := s.cfg
	program := cfg.Name // while the package cannot be listed
	if s.graph != nil {
		program = s.graph.Package
	}
	return build.Request{
		Dir:     cfg.App.BuildDir,
		Package: cfg.App.Package,
		Out:     s.StateDir.BinaryPath(gen, binaryName(program)),
		Flags:   cfg.Build.Flags,
		Debug:   cfg.Build.Debug,
		Env:     s.Environ,
		Tmp:     s.StateDir.TmpDir(),
		Goflags: s.goflags,
		Sources: s.editable(),
		Cgo:     s.cgo(), Contents: s.sources,
		Again: !s.first,
	}
}

// eventsWait is how long a look at the tree waits for the events of before it: they come within
// milliseconds, but not while a large tree is searched for the first time.
const eventsWait = time.Second

// lookAgain returns the state of the tree at the end of a build or hook. With news it has files in it
// that were not known before, or are gone by now, of which only events tell: a hook makes some, and a
// build that has failed may have read one that is not of the graph.
func (s *Supervisor) lookAgain(ctx context.Context, news bool) (change.Snapshot, error) {
	snap, err := s.watch.Sync(ctx)
	if err != nil || !news {
		return snap, err
	}
	ctx, cancel := context.WithTimeout(ctx, eventsWait)
	defer cancel()
	if caughtUp, err := s.watch.CatchUp(ctx); err == nil {
		snap = caughtUp
	}
	return snap, nil
}

// editable are the sources that may be written while they are compiled.
func (s *Supervisor) editable() build.Sources {
	if s.graph == nil {
		return build.Sources{}
	}
	g := s.graph
	out := build.Sources{Files: func(yield func(string) bool) {
		for name, role := range g.Files {
			if compiled := role == classify.GoFile || role == classify.Embedded || role == classify.OtherSource; compiled && !yield(name) {
				return
			}
		}
	}}
	for path, d := range g.Dirs {
		out.Packages = append(out.Packages, build.Package{Path: d.Package, Dir: path})
	}
	return out
}

// cgo returns the packages that read more than the go command looks at.
func (s *Supervisor) cgo() []build.Cgo {
	if s.graph == nil {
		return nil
	}
	var all []build.Cgo
	for _, c := range s.graph.Cgo {
		all = append(all, build.Cgo{
			Package: c.Package, Dir: c.Dir, Main: c.Package == s.graph.Package, Workspace: c.Workspace, Files: c.Includes,
		})
	}
	return all
}

// diagnostics are the messages of a build as they are shown, with the lines
// they are about.
func diagnostics(dir string, all []build.Diagnostic) logline.Diagnostics {
	out := make([]logline.Diagnostic, len(all))
	for i, d := range all {
		out[i] = logline.Diagnostic(d)
	}
	return logline.ReadSource(dir, out)
}

// majorVersion is the last element of an import path that the go command
// leaves out of the binary's name.
var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// binaryName is the name that `go build` gives the program of a package.
func binaryName(importPath string) string {
	name := path.Base(importPath)
	if dir := path.Dir(importPath); majorVersion.MatchString(name) && dir != "." {
		name = path.Base(dir)
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}
