package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// apply puts a plan in force. What the plan brings that nobody watched before is in the snapshot
// alone: the reader of sets would take it for an edit.
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
	l.dirs.setWanted(plan.dirs())
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

// rules returns a copy of the rules that never waits for git, which walks ask in the background.
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
	for path, d := range l.dirs.byName {
		if d.kind&listed != 0 && d.watch != nil {
			out[path] = true
		}
	}
	return out
}

// foundDirs takes into account when the directories that are new to the plan last changed: a file
// that was removed from one has left no other trace.
func (l *loop) foundDirs(old map[string]bool, out *findings) {
	for path, d := range l.dirs.byName {
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

// recount classifies all known files by the new rules and makes the sums anew. The sum of runtime
// files stays, since it is of changes and rules change no contents.
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
			f.racy = true // so that it is read again: another head is wanted of it
		}
		if f.class.Role == 0 && c.Role != 0 || !f.class.Source && c.Source {
			out.find(f.stamp.ctime) // the graph has it now, or the build reads it now
		}
		f.class = c
		l.sums.put(f)
	}
}

// headKind tells apart the kinds of head that reader.digests makes.
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

// listAll lists the directories of the graph and of hooks. A file not known yet is a change if its
// directory was listed before (old), else it is only new to the plan.
func (l *loop) listAll(old map[string]bool) map[string]hint {
	hints := map[string]hint{}
	g := listing{now: time.Now(), hints: hints}
	var todo []*dir
	for _, d := range l.dirs.byName {
		if d.kind&listed != 0 {
			todo = append(todo, d)
		}
	}
	for _, d := range todo {
		l.list(d, g)
	}
	for name := range hints {
		hints[name] = hint{trust: true, found: !old[filepath.Dir(name)]}
	}
	return hints
}
