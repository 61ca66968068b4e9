package supervisor

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/reload"
)

// verify has the go command build what is served, with the least priority, and compares. It records
// the plan of the next fast build when the one that there is is not of this program and tree.
func (s *Supervisor) verify(e reload.Verify) doer {
	v := verification{Verify: e, req: s.verifyRequest(e.Gen), modules: s.moduleFiles(), dir: s.objects(e.ID), plan: s.plan}
	if s.planned == e.Binary {
		v.ofIt = s.plan
	}
	return func(ctx context.Context) reload.Event {
		ev := reload.Verified{ID: e.ID}
		if ev.Err = s.mendFolder(); ev.Err != nil {
			return ev
		}
		var r rebuilt
		osproc.Background(func() { r = v.build(ctx) })
		if ctx.Err() != nil {
			ev.Cancelled = true // its objects are removed by the next one: somebody waits for the end of this
			return ev
		}
		if ev.Snapshot, ev.Err = s.lookAgain(ctx, false); ev.Err != nil || ev.Snapshot.Seq != e.Seq {
			return ev
		}
		if r.never != nil {
			ev.Unbuilt, ev.Refused = true, whyNot(r.never)
			ev.Brings = func() { s.noPlan = ev.Refused }
			return ev
		}
		s.compare(ctx, v, r, &ev)
		return ev
	}
}

// verification is what verify was asked for, and what there was then.
type verification struct {
	reload.Verify
	req     build.Request
	modules []string
	dir     string          // for what is linked
	plan    *fastbuild.Plan // nil when there is none
	ofIt    *fastbuild.Plan // that one when it is of the program, else nil
}

// rebuilt is what came of a verification.
type rebuilt struct {
	never  error // why no edit is built without the go command, so that nothing was built
	res    build.Result
	next   *fastbuild.Plan // nil with noPlan
	noPlan error
}

// build has the go command build, unless it can say at once that nobody needs that.
func (v verification) build(ctx context.Context) (r rebuilt) {
	if v.ByGo && v.plan == nil { // a build would only be made to learn what the go command says
		if r.never = neverFast(ctx, v.req, filepath.Join(v.dir, "survey")); r.never != nil {
			return r
		}
	}
	expected := func(res build.Result) bool { return res.Digest == v.Binary }
	r.res, r.next, r.noPlan = verifyBy(ctx, v.req, v.modules, v.ofIt, v.dir, expected)
	return r
}

// compare says in ev whether the program is what was served.
func (s *Supervisor) compare(ctx context.Context, v verification, r rebuilt, ev *reload.Verified) {
	s.warn(r.res.Warning)
	s.pruneObjects(v.dir, v.plan, r.next) // whether next is taken is not known yet
	if r.res.Err != nil {
		ev.Err = fmt.Errorf("build again to verify what is served: %w", r.res.Err)
		return // the plan that there is stays, with the program that it is of
	}
	switch {
	case r.res.Digest == v.Binary:
		os.RemoveAll(filepath.Dir(r.res.Out)) // nobody needs it twice
	case v.ofIt == nil || v.ofIt.Outdated(ctx, v.dir) != nil:
		// No fault of a fast build: there was none, or it may well be another program by now.
		os.RemoveAll(filepath.Dir(r.res.Out))
		ev.Brings = func() { s.plan, s.planned = nil, change.Digest{} }
		return
	default:
		ev.Path = r.res.Out
		ev.Kept, ev.Err = keepDifference(s.StateDir.Path(), v.Verify, r.res.Out, v.plan)
	}
	ev.Binary = r.res.Digest
	if r.noPlan != nil {
		ev.Refused, ev.Lasting = whyNot(r.noPlan), lasting(r.noPlan)
	}
	refused := ev.Refused
	ev.Brings = func() { s.plan, s.noPlan, s.planned = r.next, refused, v.Binary }
}

// neverFast says why no edit of the program is built without the go command; nil when some may be.
func neverFast(ctx context.Context, req build.Request, tmp string) error {
	if _, err := survey(ctx, req, tmp); lasting(err) {
		return err
	}
	return nil
}

// verifyRequest is what the go command is asked for to verify: at leisure, so that it does not take the
// memory that lessGC costs.
func (s *Supervisor) verifyRequest(gen int) build.Request {
	req := s.buildRequest(gen)
	req.Again = false
	return req
}

// moduleFiles are the files that the go command reads to choose modules and their versions, and profiles. Some
// are of modules that no package comes from.
func (s *Supervisor) moduleFiles() []string {
	if s.graph == nil {
		return nil
	}
	var all []string
	for name, role := range s.graph.Files {
		if role == classify.Module || role == classify.Profile {
			all = append(all, name)
		}
	}
	return all
}

// verifyBy builds with the go command alone. It returns a plan of what was built: the one that is of the
// program expected, when there is one and it is of this tree, or a new one; with none, the error says
// why. Nothing is recorded of a program that is not as expected.
func verifyBy(ctx context.Context, req build.Request, modules []string, plan *fastbuild.Plan, dir string, expected func(build.Result) bool) (build.Result, *fastbuild.Plan, error) {
	known := fastbuild.Request{Files: modules, Before: fastbuild.NamesIn(directories(req.Sources)), Began: time.Now()}
	req.Objects = filepath.Join(dir, "built")
	os.Remove(req.Out) // one that is there already would not be linked
	res := build.Run(ctx, leisurely(req))
	if res.Err != nil || !expected(res) {
		return res, nil, res.Err
	}
	if plan != nil && current(plan) {
		return res, plan, nil
	}
	plan, err := record(ctx, req, res, known, filepath.Join(dir, "record"))
	return res, plan, err
}

// leisurely has half of the processors build: the least priority is no help to an app that shares a quota with
// us (a container's; GOMAXPROCS knows it since Go 1.25).
func leisurely(req build.Request) build.Request {
	env := req.Env
	if env == nil {
		env = os.Environ()
	}
	req.Env = append(env[:len(env):len(env)], fmt.Sprint("GOMAXPROCS=", max(1, runtime.GOMAXPROCS(0)/2)))
	return req
}

// current reports whether a plan is of the tree as it is.
func current(plan *fastbuild.Plan) bool {
	e, err := plan.Look()
	if err != nil {
		return false
	}
	_, refused := plan.Decide(e)
	return refused != nil && refused.Kind == fastbuild.Unchanged
}

// directories are those of the packages, and of what they embed.
func directories(src build.Sources) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, pkg := range src.Packages {
			if !yield(pkg.Dir) {
				return
			}
		}
		if src.Files == nil {
			return
		}
		for name := range src.Files {
			if !yield(filepath.Dir(name)) {
				return
			}
		}
	}
}

// record records the plan of a build; known is what is known of the tree from before it.
func record(ctx context.Context, req build.Request, res build.Result, known fastbuild.Request, tmp string) (*fastbuild.Plan, error) {
	defer os.RemoveAll(tmp)
	r, err := recording(ctx, req, tmp)
	if err != nil {
		return nil, err
	}
	r.Linked, r.Began, r.Before = filepath.Join(req.Objects, build.LinkedBy), known.Began, known.Before
	r.Files = append(r.Files, known.Files...)
	r.Same = func(program string) (bool, error) {
		digest, err := build.Digest(program)
		return digest == res.Digest, err
	}
	return fastbuild.Record(ctx, r)
}
