package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// apply adopts a plan. That the plan is about other files is told to who asked
// for it alone: a reader of sets, who may be faster, would take it for an edit.
func (l *loop) apply(ctx context.Context, plan Plan) (change.Snapshot, error) {
	if plan.Rules == nil {
		return change.Snapshot{}, errors.New("BUG: a plan without rules")
	}
	plan.Rules = l.rules(plan.Rules)
	began := time.Now()
	before := l.plan
	l.plan = plan
	out := findings{at: began}
	l.recount(&out)
	old := l.listedDirs()
	l.tree.adopt(plan.dirs())
	l.choosePolling()

	hints := l.listAll(old)
	for _, name := range plan.known() {
		hints[name] = hint{trust: true, found: true}
	}
	for name := range l.files {
		hints[name] = hint{trust: true}
	}
	if err := l.check(ctx, hints, &out); err != nil {
		l.plan.Walk = nil // so that the next plan walks
		return change.Snapshot{}, err
	}
	l.git = gitStateOf(plan.GitDir)
	l.allOutputs()
	l.limits()
	if !plan.sameWalk(&before) {
		l.walkAgain(began)
	}
	out.ignored = nil
	l.foundDirs(old, &out)
	snap := l.snapshot()
	if len(out.paths)+len(l.notes) > 0 {
		snap = l.publish(out)
	}
	snap.Adopted = out.found
	return snap, nil
}

// rules returns a copy that never waits for git: that is asked in the background.
func (l *loop) rules(r *classify.Rules) *classify.Rules {
	own := *r
	if own.Ignored != nil {
		l.ignore = &ignorer{ask: own.Ignored}
		own.Ignored = nil
	}
	return &own
}

func (l *loop) listedDirs() map[string]bool {
	out := map[string]bool{}
	for path, d := range l.tree.dirs {
		if d.kind&listed != 0 && d.watch != nil {
			out[path] = true
		}
	}
	return out
}

// foundDirs takes note of when the directories that were not listed before last
// changed: what was removed from them has left no other trace.
func (l *loop) foundDirs(old map[string]bool, out *findings) {
	for path, d := range l.tree.dirs {
		if d.kind&listed == 0 || old[path] {
			continue
		}
		if _, _, missing := trace(path); missing != "" {
			path = filepath.Dir(missing)
		}
		if info, err := os.Stat(path); err == nil {
			out.find(stampOf(path, info).ctime)
		}
	}
}

// recount classifies all files by the new rules and builds the sums from them.
// The sum of runtime files stays: rules change no contents.
func (l *loop) recount(out *findings) {
	runtime := l.sums.runtime
	n := len(l.plan.Rules.Hooks)
	l.sums = sums{base: l.plan.Rules.Base, runtime: runtime, hooks: make([]change.Sum, n)}
	l.hooks = make([]change.HookState, n)
	for name, f := range l.files {
		c := l.plan.Rules.Classify(name)
		if !counts(c) && !c.Runtime {
			delete(l.files, name)
			continue
		}
		if headKind(c.Role) != headKind(f.class.Role) {
			f.racy = true // another digest is wanted of it
		}
		if f.class.Role == 0 && c.Role != 0 || !f.class.Source && c.Source {
			out.find(f.stamp.ctime) // the graph has it now, or the build reads it now
		}
		f.class = c
		l.sums.put(f)
	}
}

// headKind tells apart what reader.digests makes of a file.
func headKind(r classify.Role) int {
	switch {
	case r == 0:
		return 0
	case goSource(r):
		return 1
	case r == classify.Module:
		return 2
	}
	return 3
}

// listAll lists the directories of the graph and of hooks. What is in one that
// was listed before is a change; what is in another is only found.
func (l *loop) listAll(old map[string]bool) map[string]hint {
	now := time.Now()
	hints := map[string]hint{}
	var todo []*dir
	for _, d := range l.tree.dirs {
		if d.kind&listed != 0 {
			todo = append(todo, d)
		}
	}
	for _, d := range todo {
		l.list(d, now, hints)
	}
	for name := range hints {
		hints[name] = hint{trust: true, found: !old[filepath.Dir(name)]}
	}
	return hints
}

// sync looks at all files of the graph and of hooks, and at those of the running
// app that are known: a stat each.
func (l *loop) sync(ctx context.Context) (change.Snapshot, error) {
	if l.plan.Rules == nil {
		return l.snapshot(), nil
	}
	out := findings{at: time.Now()}
	if err := l.sweep(ctx, listed, true, &out); err != nil {
		return change.Snapshot{}, err
	}
	return l.publish(out), nil
}

// sweep looks at directories of some kinds and at files without having been told
// to: at all files, or at those of the graph and of hooks.
func (l *loop) sweep(ctx context.Context, kind dirKind, all bool, out *findings) error {
	hints := map[string]hint{}
	if dead := l.tree.dead(kind); len(dead) > 0 {
		l.retouch(dead, hints)
	}
	now := time.Now()
	for _, d := range l.tree.dirs {
		if d.kind&kind != 0 && d.changedSince(now) {
			l.list(d, now, hints)
		}
	}
	return l.checkAll(ctx, all, hints, out)
}

// checkAll looks at the files that hints name and all that are known, or all of
// the graph and of hooks.
func (l *loop) checkAll(ctx context.Context, all bool, hints map[string]hint, out *findings) error {
	for name, f := range l.files {
		if all || counts(f.class) {
			hints[name] = hint{trust: true}
		}
	}
	for _, name := range l.plan.known() {
		hints[name] = hint{trust: true}
	}
	if err := l.check(ctx, hints, out); err != nil {
		return err
	}
	l.git = gitStateOf(l.plan.GitDir)
	l.allOutputs()
	return nil
}

// allOutputs looks whether the outputs of hooks exist.
func (l *loop) allOutputs() {
	for i := range l.hooks {
		l.hooks[i].Missing = l.missing(i)
	}
}

// outputs does so for the hooks that paths are outputs of.
func (l *loop) outputs(paths []change.Path) {
	seen := map[int]bool{}
	for _, p := range paths {
		if p.Op == change.Write || p.Op == change.Chmod {
			continue
		}
		for _, i := range p.Class.Outputs {
			if !seen[i] {
				seen[i] = true
				l.hooks[i].Missing = l.missing(i)
			}
		}
	}
}

// missing reports whether a pattern of a hook's outputs matches nothing.
func (l *loop) missing(i int) bool {
	for _, glob := range l.plan.Rules.Hooks[i].Outputs {
		if !l.exists(glob) {
			return true
		}
	}
	return false
}

var errFound = errors.New("found")

// exists reports whether a glob matches a file; one without wildcards may name
// a directory.
func (l *loop) exists(glob string) bool {
	dir, rest := l.plan.Rules.Split(glob)
	if _, err := os.Stat(filepath.Join(dir, rest)); err == nil {
		return true
	}
	err := doublestar.GlobWalk(os.DirFS(dir), rest, func(string, fs.DirEntry) error { return errFound }, doublestar.WithFilesOnly())
	return errors.Is(err, errFound)
}
