package supervisor

import (
	"context"
	"path/filepath"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/fastbuild"
)

// buildAndRecord builds with the go command alone, keeps what it has linked in dir, and records the
// plan by which an edit is built faster from then on. The plan is nil, with the reason in refused, when
// there is none for such a program; the archives in dir must stay as long as the plan.
func buildAndRecord(ctx context.Context, req build.Request, dir string) (res build.Result, plan *fastbuild.Plan, refused error) {
	began := time.Now()
	req.Objects = filepath.Join(dir, "built")
	if res = build.Run(ctx, req); res.Err != nil {
		return res, nil, res.Err
	}
	plan, err := record(ctx, req, res, began, filepath.Join(dir, "record"))
	return res, plan, err
}

func record(ctx context.Context, req build.Request, res build.Result, began time.Time, tmp string) (*fastbuild.Plan, error) {
	goflags := ""
	if req.Goflags != nil {
		goflags = *req.Goflags
	}
	flags, err := build.BuildFlags(req, goflags)
	if err != nil {
		return nil, err
	}
	return fastbuild.Record(ctx, fastbuild.Request{
		Dir: req.Dir, Package: req.Package, Flags: flags, Goflags: goflags, Env: req.Env, Tmp: tmp,
		Linked: filepath.Join(req.Objects, build.LinkedBy), Began: began,
		Same: func(program string) (bool, error) {
			digest, err := build.Digest(program)
			return digest == res.Digest, err
		},
	})
}
