package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	cache string        // that of plain

	before sources
	plan   *fastbuild.Plan
}

func newBuilder(ctx context.Context, o options, work, dir string) *builder {
	none := ""
	request := func(name string) build.Request {
		env := append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off", "GOTOOLCHAIN=local", "GOCACHE="+filepath.Join(o.cache, name+"-cache"))
		return build.Request{Dir: dir, Package: o.program, Flags: o.flags, Goflags: &none, Again: true, Env: env, Tmp: filepath.Join(work, name+"-tmp")}
	}
	return &builder{ctx: ctx, work: work, plain: request("plain"), own: request("own"), cache: filepath.Join(o.cache, "plain-cache")}
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
	if err := b.fast(&one); err != nil {
		return one, fmt.Errorf("%s: %w", tree.name(id), err)
	}
	if one.fast || one.broken || one.kind == fastbuild.Unchanged {
		return one, nil
	}
	one.broken, err = b.record()
	return one, err
}

// fast builds the tree as it is without the go command, and beside that with it, to compare. The error says
// that the programs differ, or that nothing can be told.
func (b *builder) fast(one *outcome) error {
	b.n++
	if b.plan == nil {
		one.kind = fastbuild.NoPlan
		return nil
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	real := make(chan build.Result, 1)
	go func() { real <- b.real(ctx) }()
	target := fastbuild.Target{Out: b.path("fast"), Folder: filepath.Join(b.objects(), strconv.Itoa(b.n))}
	made, err := b.plan.Make(ctx, target)
	refusal := (*fastbuild.Refusal)(nil)
	if errors.As(err, &refusal) {
		cancel()
		one.kind, one.what = refusal.Kind, b.relative(refusal.What)
	}
	res := <-real
	switch {
	case b.ctx.Err() != nil:
		return b.ctx.Err()
	case err == nil:
		one.fast, b.plan = true, made.Next
		return b.same(target.Out, res)
	case refusal == nil && res.Err == nil:
		return fmt.Errorf("the go command builds it, and not: %w", err)
	}
	one.broken = refusal == nil
	return nil
}

// objects is where the objects are that were built without the go command, and those of the builds that
// a plan was recorded of.
func (b *builder) objects() string { return filepath.Join(b.work, "objects") }

// prune removes the objects that the plan links no more.
func (b *builder) prune() error {
	used := b.plan.Directories(b.objects())
	entries, err := os.ReadDir(b.objects())
	for _, e := range entries {
		if !slices.Contains(used, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(b.objects(), e.Name())))
		}
	}
	return err
}

func (b *builder) relative(name string) string { return strings.ReplaceAll(name, b.plain.Dir+"/", "") }

// same compares what both ways have made.
func (b *builder) same(program string, real build.Result) error {
	digest, err := build.Digest(program)
	switch {
	case err != nil:
		return err
	case real.Err != nil:
		return fmt.Errorf("%s is built, which the go command does not build: %w", program, real.Err)
	case digest != real.Digest:
		return fmt.Errorf("%s is not %s", program, real.Out)
	}
	return errors.Join(os.Remove(program), os.Remove(real.Out), b.prune())
}

// real has the go command build, with the cache that nothing else is made with.
func (b *builder) real(ctx context.Context) build.Result {
	plain := b.plain
	plain.Out = b.path("plain")
	return build.Run(ctx, plain)
}

// record has the go command build the tree with the other cache, as devguard does once it is quiet, and
// takes the next plan of that. It reports whether the tree does not build.
func (b *builder) record() (broken bool, err error) {
	req, began := b.own, time.Now()
	req.Out, req.Objects = b.path("own"), filepath.Join(b.objects(), fmt.Sprint("built", b.n))
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
