package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/reload"
)

// quickly is what came of a try to build without the go command.
type quickly struct {
	done    bool
	result  build.Result    // when it is done
	next    *fastbuild.Plan // likewise
	refused reload.Refusal  // why the go command has to build
	lasting bool            // so has it of any edit, whatever the program
}

// quick returns what tries to build without the go command. Nothing of a try that fails is shown: the
// go command builds then, and says what is wrong.
func (s *Supervisor) quick(e reload.Build, req build.Request) func(ctx context.Context) quickly {
	plan, noPlan, planned := s.plan, s.noPlan, s.planned
	target := fastbuild.Target{Out: req.Out, Folder: s.objects(e.ID), Known: planned != change.Digest{} && planned == e.Binary}
	return func(ctx context.Context) quickly {
		switch {
		case !e.Fast:
			return quickly{refused: reload.Refusal{Kind: noPlan.Kind}} // it was said when that came to light
		case plan != nil:
			return byPlan(ctx, plan, planned, target)
		}
		if err := refusedAlways(ctx, req); err != nil {
			return quickly{refused: whyNot(err), lasting: true}
		}
		if noPlan == (reload.Refusal{}) {
			noPlan.Kind = string(fastbuild.NoPlan)
		}
		return quickly{refused: noPlan}
	}
}

// byPlan builds by a plan, which is of the program planned.
func byPlan(ctx context.Context, plan *fastbuild.Plan, planned change.Digest, target fastbuild.Target) quickly {
	begin := time.Now()
	made, err := plan.Make(ctx, target)
	if ctx.Err() != nil {
		return quickly{done: true, result: build.Result{Took: time.Since(begin), Cancelled: true, Err: context.Cause(ctx)}}
	}
	if err != nil {
		return quickly{refused: whyNot(err)}
	}
	if made.Same {
		return quickly{done: true, next: made.Next, result: build.Result{Digest: planned, Took: time.Since(begin)}}
	}
	digest, err := build.Digest(target.Out)
	if err != nil {
		return quickly{refused: whyNot(err)}
	}
	return quickly{done: true, next: made.Next, result: build.Result{Out: target.Out, Digest: digest, Took: time.Since(begin), Link: time.Since(made.LinkBegan)}}
}

// refusedAlways says why no program is built without the go command by these settings.
func refusedAlways(ctx context.Context, req build.Request) error {
	r, err := recording(ctx, req, "")
	if err != nil {
		return nil // the go command says what is wrong
	}
	return r.Refused()
}

// takePlan keeps the plan that the next fast build is made by.
func (s *Supervisor) takePlan(e reload.Build, made quickly, res build.Result) {
	unknown := made.refused.Kind == string(fastbuild.Unchanged) && res.Digest != s.planned
	switch {
	case made.next != nil:
		s.plan, s.planned = made.next, res.Digest
	case made.lasting:
		s.noPlan = made.refused
	case res.Err != nil:
	case !e.Fast, unknown: // nobody knows what is wrong with it; or there is more to the program than it knows
		s.plan, s.planned = nil, change.Digest{}
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

// waysOf returns what says which way an edit of a file would be built; "" when nobody knows. The go
// command is asked how it would build the package when that is called first.
func waysOf(survey func() (*fastbuild.Plan, error)) func(file string) string {
	survey = sync.OnceValues(survey)
	return func(file string) string {
		plan, err := survey()
		refusal := (*fastbuild.Refusal)(nil)
		switch {
		case err == nil:
			refusal = plan.About(file)
		case !errors.As(err, &refusal):
			return "" // it does not build
		}
		switch {
		case refusal != nil:
			return "the go command builds an edit of it: " + refusal.Error()
		case strings.HasSuffix(file, ".go"):
			return "an edit that keeps its imports and directives is built without the go command"
		default:
			return "an edit of it is built without the go command"
		}
	}
}

// survey asks the go command how it would build; tmp is a directory that it makes if missing, and removes.
func survey(ctx context.Context, req build.Request, tmp string) (*fastbuild.Plan, error) {
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

// pruneObjects removes what none of the plans links, but for one directory that is being filled. It may
// be called by one build at a time.
func (s *Supervisor) pruneObjects(filled string, plans ...*fastbuild.Plan) {
	base := s.StateDir.ObjectsDir()
	used := []string{filepath.Base(filled)}
	for _, plan := range plans {
		if plan != nil {
			used = append(used, plan.Directories(base)...)
		}
	}
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if !slices.Contains(used, e.Name()) {
			os.RemoveAll(filepath.Join(base, e.Name()))
		}
	}
}
