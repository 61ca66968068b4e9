package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/fastbuild"
)

// outcome is what came of one commit.
type outcome struct {
	changed bool // what the program is made of
	bodies  bool // of functions alone, and comments
	broken  bool // the go command does not build it
	fast    bool // and the same program as the go command's
	kind    fastbuild.Kind
	what    string // that was refused
}

func (o outcome) way() string {
	switch {
	case o.fast:
		return "fast, the same program"
	case o.broken:
		return "does not build"
	}
	return strings.TrimSpace(string(o.kind) + " " + o.what)
}

// builder builds each state of a tree both ways.
type builder struct {
	ctx   context.Context
	work  string
	n     int
	plain build.Request // with a cache that nothing of a fast build is made with
	own   build.Request // what devguard does itself

	before sources
	plan   *fastbuild.Plan
}

func newBuilder(ctx context.Context, o options, work, dir string) *builder {
	none := ""
	request := func(name string) build.Request {
		env := append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off", "GOTOOLCHAIN=local", "GOCACHE="+filepath.Join(o.cache, name+"-cache"))
		return build.Request{Dir: dir, Package: o.program, Flags: o.flags, Goflags: &none, Again: true, Env: env, Tmp: filepath.Join(work, name+"-tmp")}
	}
	return &builder{ctx: ctx, work: work, plain: request("plain"), own: request("own")}
}

func (b *builder) path(name string) string { return filepath.Join(b.work, fmt.Sprint(name, b.n)) }

// commit builds one commit. The error says that the programs differ, or that nothing can be told.
func (b *builder) commit(tree checkout, id string) (one outcome, err error) {
	if err := tree.take(id); err != nil {
		return one, err
	}
	now, err := look(b.ctx, b.plain.Dir, b.plain.Package, b.plain.Env)
	if err != nil {
		one.broken = true // for both
		return one, b.ctx.Err()
	}
	one.changed, one.bodies = now.edit(b.before)
	b.before = now
	b.n++
	target := fastbuild.Target{Out: b.path("fast"), Folder: b.path("objects")}
	fast, fastErr := fastbuild.Result{}, error(&fastbuild.Refusal{Kind: fastbuild.NoPlan})
	if b.plan != nil {
		fast, fastErr = b.plan.Make(b.ctx, target)
	}
	if err := b.ctx.Err(); err != nil {
		return one, err
	}
	var refusal *fastbuild.Refusal
	switch {
	case fastErr == nil:
		return b.same(one, fast, target.Out)
	case errors.As(fastErr, &refusal):
		one.kind, one.what = refusal.Kind, b.relative(refusal.What)
		if refusal.Kind == fastbuild.Unchanged {
			return one, nil
		}
	}
	one.broken, err = b.record()
	if refusal == nil && !one.broken && err == nil {
		err = fmt.Errorf("%s: the go command builds it, and not: %w", tree.name(id), fastErr)
	}
	return one, err
}

func (b *builder) relative(name string) string { return strings.ReplaceAll(name, b.plain.Dir+"/", "") }

// same has the go command build, and compares what both ways have made.
func (b *builder) same(one outcome, fast fastbuild.Result, program string) (outcome, error) {
	plain := b.plain
	plain.Out = b.path("plain")
	real := build.Run(b.ctx, plain)
	if err := b.ctx.Err(); err != nil {
		return one, err
	}
	digest, err := build.Digest(program)
	switch {
	case err != nil:
		return one, err
	case real.Err != nil:
		return one, fmt.Errorf("%s is built, which the go command does not build: %w", program, real.Err)
	case digest != real.Digest:
		return one, fmt.Errorf("%s is not %s", program, real.Out)
	}
	one.fast, b.plan = true, fast.Next
	return one, errors.Join(os.Remove(program), os.Remove(real.Out))
}

// record has the go command build the tree with the other cache, as devguard does once it is quiet, and
// takes the next plan of that. It reports whether the tree does not build.
func (b *builder) record() (broken bool, err error) {
	req, began := b.own, time.Now()
	req.Out, req.Objects = b.path("own"), b.path("built")
	defer os.Remove(req.Out)
	res := build.Run(b.ctx, req)
	if res.Err != nil {
		return true, b.ctx.Err()
	}
	b.plan = nil
	flags, err := build.BuildFlags(req, "")
	if err != nil {
		return false, err
	}
	same := func(program string) (bool, error) {
		digest, err := build.Digest(program)
		return digest == res.Digest, err
	}
	tmp := b.path("record")
	defer os.RemoveAll(tmp)
	b.plan, err = fastbuild.Record(b.ctx, fastbuild.Request{
		Dir: req.Dir, Package: req.Package, Flags: flags, Env: req.Env, Tmp: tmp,
		Linked: filepath.Join(req.Objects, build.LinkedBy), Began: began, Same: same,
	})
	if refusal := (*fastbuild.Refusal)(nil); errors.As(err, &refusal) {
		fmt.Fprintln(os.Stderr, "        nothing is recorded:", refusal)
		return false, nil // the next commit is refused, too
	}
	return false, err
}
