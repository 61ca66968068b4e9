package supervisor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/reload"
)

// quickly is what came of a try to build without the go command.
type quickly struct {
	done    bool
	result  build.Result    // when it is done
	next    *fastbuild.Plan // likewise
	refused reload.Refusal  // why the go command has to build
}

// quick returns what tries to build without the go command. Nothing of a try that fails is shown: the
// go command builds then, and says what is wrong.
func (s *Supervisor) quick(e reload.Build) func(ctx context.Context, out string) quickly {
	plan, noPlan, served := s.plan, s.noPlan, s.planned
	folder := s.objects(e.ID)
	return func(ctx context.Context, out string) quickly {
		switch {
		case plan == nil && noPlan == reload.Refusal{}:
			return quickly{refused: reload.Refusal{Kind: string(fastbuild.NoPlan)}}
		case !e.Fast:
			return quickly{refused: reload.Refusal{Kind: noPlan.Kind}} // it was said when that came to light
		case plan == nil:
			return quickly{refused: noPlan}
		}
		begin := time.Now()
		made, err := plan.Make(ctx, fastbuild.Target{Out: out, Folder: folder, Known: served != change.Digest{} && served == e.Binary})
		if ctx.Err() != nil {
			return quickly{done: true, result: build.Result{Took: time.Since(begin), Cancelled: true, Err: context.Cause(ctx)}}
		}
		if err != nil {
			return quickly{refused: whyNot(err)}
		}
		if made.Same {
			return quickly{done: true, next: made.Next, result: build.Result{Digest: served, Took: time.Since(begin)}}
		}
		digest, err := build.Digest(out)
		if err != nil {
			return quickly{refused: whyNot(err)}
		}
		return quickly{done: true, next: made.Next, result: build.Result{Out: out, Digest: digest, Took: time.Since(begin), Link: time.Since(made.LinkBegan)}}
	}
}

const doesNotBuild = "it does not build"

// whyNot is a refusal as it is shown. What a tool has complained about the go command says itself.
func whyNot(err error) reload.Refusal {
	if refusal := (*fastbuild.Refusal)(nil); errors.As(err, &refusal) {
		return reload.Refusal{Kind: string(refusal.Kind), Text: refusal.Error()}
	}
	return reload.Refusal{Kind: doesNotBuild, Text: doesNotBuild}
}

// wayOf says which way an edit of a file would be built.
func wayOf(ctx context.Context, cfg *config.Config, environ []string, file string) string {
	plan, err := survey(ctx, build.Request{Dir: cfg.App.BuildDir, Package: cfg.App.Package, Flags: cfg.Build.Flags, Env: environ})
	if err == nil {
		refusal := plan.About(file)
		switch {
		case refusal != nil:
			err = refusal
		case strings.HasSuffix(file, ".go"):
			return "an edit that keeps its imports and directives is built without the go command"
		default:
			return "an edit of it is built without the go command"
		}
	}
	return "the go command builds an edit of it: " + err.Error()
}

func survey(ctx context.Context, req build.Request) (*fastbuild.Plan, error) {
	tmp, err := os.MkdirTemp("", "devguard-explain-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	req.Out = filepath.Join(tmp, "program")
	r, err := recording(ctx, req, tmp)
	if err != nil {
		return nil, err
	}
	return fastbuild.Survey(ctx, r)
}

func lasting(err error) bool {
	refusal := (*fastbuild.Refusal)(nil)
	return errors.As(err, &refusal) && refusal.Kind.Lasting()
}

// objects is a directory for what is linked.
func (s *Supervisor) objects(id reload.ID) string {
	return filepath.Join(s.StateDir.ObjectsDir(), strconv.FormatUint(uint64(id), 10))
}

// verify has the go command build what is served, with the least priority, and compares. It records
// the plan of the next fast build when the one that there is is not of this tree.
func (s *Supervisor) verify(e reload.Verify) doer {
	req, plan, modules := s.buildRequest(e.Gen), s.plan, s.moduleFiles()
	dir := s.objects(e.ID)
	base, kept := s.StateDir.ObjectsDir(), filepath.Join(s.StateDir.Path(), fmt.Sprint("differs-", e.Gen))
	return func(ctx context.Context) reload.Event {
		ev := reload.Verified{ID: e.ID}
		expected := func(res build.Result) bool { return res.Digest == e.Binary }
		var res build.Result
		var next *fastbuild.Plan
		var err error
		osproc.Background(func() { res, next, err = verifyBy(ctx, req, modules, plan, dir, expected) })
		if ctx.Err() != nil {
			ev.Cancelled = true // its objects are removed after the next one: somebody waits for the end of this
			return ev
		}
		if ev.Snapshot, ev.Err = s.lookAgain(ctx, false); ev.Err != nil {
			return ev
		}
		switch {
		case res.Err != nil:
			ev.Err = fmt.Errorf("build again to verify what is served: %w", res.Err)
		case res.Digest != e.Binary:
			ev.Binary, ev.Path, ev.Kept = res.Digest, res.Out, kept
			ev.Err = keepDifference(kept, e.Path, res.Out, plan)
		default:
			ev.Binary = res.Digest
			os.RemoveAll(filepath.Dir(res.Out)) // nobody needs it twice
		}
		pruneObjects(base, next)
		var why reload.Refusal
		if err != nil {
			why = whyNot(err)
		}
		ev.Refused, ev.Lasting = why, lasting(err)
		if res.Err == nil { // else the plan that there is stays, with the program that it is of
			ev.Brings = func() { s.plan, s.noPlan, s.planned = next, why, e.Binary }
		}
		return ev
	}
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

// verifyBy builds with the go command alone. It returns the plan of what was built: the one that there
// is, when that is of this tree, or a new one; with none, the error says why. Nothing is recorded of a
// program that is not as expected.
func verifyBy(ctx context.Context, req build.Request, modules []string, plan *fastbuild.Plan, dir string, expected func(build.Result) bool) (build.Result, *fastbuild.Plan, error) {
	known := fastbuild.Request{Files: modules, Before: fastbuild.NamesIn(directories(req.Sources)), Began: time.Now()}
	req.Objects = filepath.Join(dir, "built")
	os.Remove(req.Out) // one that is there already would not be linked
	res := build.Run(ctx, req)
	switch {
	case res.Err != nil:
		return res, plan, res.Err
	case !expected(res):
		return res, nil, nil
	}
	if plan != nil && current(plan) {
		return res, plan, nil
	}
	plan, err := record(ctx, req, res, known, filepath.Join(dir, "record"))
	return res, plan, err
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

// recording is the request for the plan of a build.
func recording(ctx context.Context, req build.Request, tmp string) (fastbuild.Request, error) {
	if req.Goflags == nil {
		asked, err := build.Goflags(ctx, req.Dir, req.Env)
		if err != nil {
			return fastbuild.Request{}, err
		}
		req.Goflags = &asked
	}
	flags, err := build.BuildFlags(req, *req.Goflags)
	r := fastbuild.Request{Dir: req.Dir, Package: req.Package, Flags: flags, Goflags: *req.Goflags, Env: req.Env, Tmp: tmp}
	for _, c := range req.Cgo {
		r.Files = append(r.Files, c.Files...)
	}
	return r, err
}

// pruneObjects removes the directories that the plan links nothing of.
func pruneObjects(base string, plan *fastbuild.Plan) {
	var used []string
	if plan != nil {
		used = plan.Directories(base)
	}
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if !slices.Contains(used, e.Name()) {
			os.RemoveAll(filepath.Join(base, e.Name()))
		}
	}
}

// keepDifference keeps both programs, and the plan that the fast one was made by.
func keepDifference(dir, fast, real string, plan *fastbuild.Plan) error {
	err := os.MkdirAll(dir, 0o700)
	for name, program := range map[string]string{"fast": fast, "go": real} {
		err = errors.Join(err, os.Link(program, filepath.Join(dir, name)))
	}
	if plan != nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "plan.json"), plan.JSON(), 0o600))
	}
	if err != nil {
		return fmt.Errorf("keep the programs that differ: %w", err)
	}
	return nil
}
