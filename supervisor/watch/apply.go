package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// apply puts a plan in force. What the plan brings that nobody watched before is in the snapshot
// alone: the reader of sets would take it for an edit.
func (l *loop) apply(ctx context.Context, plan Plan) (change.Snapshot, error) {
	if plan.Rules == nil {
		return change.Snapshot{}, errors.New("BUG: a plan without rules")
	}
	plan.Rules = l.ownRules(plan.Rules)
	began := time.Now()
	before := l.plan
	l.plan = plan
	out := findings{at: began}
	l.recount(&out)
	old := scope{l.rules, l.dirKinds()}
	l.rules = nil
	l.dirs.setWanted(plan.dirs())
	l.choosePolling()

	if err := l.check(ctx, l.lookAtAll(old), &out); err != nil {
		l.plan.Walk = nil // so that the next plan walks
		return change.Snapshot{}, err
	}
	l.rules = plan.Rules
	l.git = gitStateOf(plan.GitDir)
	l.allOutputs()
	l.limits()
	if !plan.sameWalk(&before) {
		l.walkAgain(began)
	}
	out.ignored = nil
	l.foundDirs(old.dirs, &out)
	snap := l.snapshot()
	if len(out.paths)+len(l.notes) > 0 {
		snap = l.publish(out)
	}
	snap.Adopted = out.found
	return snap, nil
}

// ownRules returns a copy of the rules that never waits for git, which walks ask in the background.
func (l *loop) ownRules(r *classify.Rules) *classify.Rules {
	own := *r
	if own.Ignored != nil {
		l.ignore = &ignorer{ask: own.Ignored}
		own.Ignored = nil
	}
	return &own
}

// scope is what the plan before would have noticed.
type scope struct {
	rules *classify.Rules // nil when no plan was in force
	dirs  map[string]dirKind
}

// has reports whether the file would be known if it had been there: that it is there now is a
// change. Any other file is only new to the plan.
func (s scope) has(name string) bool {
	if s.rules == nil || !counts(s.rules.Classify(name)) {
		return false
	}
	for dir := range paths.Up(filepath.Dir(name)) {
		if s.dirs[dir]&(listed|chained) != 0 {
			return true
		}
		// One that only a walk has met is as new as one that nobody has: it would have been entered.
		if !s.rules.Holds(dir) {
			return false
		}
	}
	return false
}

// dirKinds returns the directories that are watched, and those that are awaited because they are
// missing.
func (l *loop) dirKinds() map[string]dirKind {
	out := make(map[string]dirKind, len(l.dirs.byName))
	for path, d := range l.dirs.byName {
		out[path] = d.kind
	}
	return out
}

// foundDirs takes into account when the directories that are new to the plan last changed: a file
// that was removed from one has left no other trace.
func (l *loop) foundDirs(old map[string]dirKind, out *findings) {
	for path, d := range l.dirs.byName {
		if d.kind&listed == 0 || old[path]&listed != 0 {
			continue
		}
		if w := trace(path); w.missing != "" {
			path = filepath.Dir(w.missing)
		}
		if info, err := os.Stat(path); err == nil {
			out.find(stampOf(path, info).ctime)
		}
	}
}

// recount classifies all known files by the new rules and makes the sums anew. The sums of files
// that a glob alone names stay, since they are of changes and rules change no contents.
func (l *loop) recount(out *findings) {
	old := l.sums
	n := len(l.plan.Rules.Hooks)
	l.sums = sums{base: l.plan.Rules.Base, runtime: old.runtime, styles: old.styles, scripts: old.scripts, hooks: make([]change.Sum, n)}
	l.hooks = make([]change.HookState, n)
	for name, f := range l.files {
		c := l.plan.Rules.Classify(name)
		if !counts(c) && !c.Sought() {
			l.forget(f)
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
	case hasHeader(r):
		return 1
	case r == classify.Module:
		return 2
	}
	return 3
}

// lookAtAll returns hints for all files of the plan: those in the directories of the graph and of
// hooks, those that the plan names, and those that are known.
func (l *loop) lookAtAll(old scope) map[string]hint {
	hints := map[string]hint{}
	g := listing{now: time.Now(), hints: hints}
	for _, d := range l.dirs.with(listed) {
		l.list(d, g)
	}
	for _, name := range l.plan.known() {
		hints[name] = hint{}
	}
	for name := range hints {
		hints[name] = hint{trust: true, found: !old.has(name)}
	}
	for name := range l.files {
		hints[name] = hint{trust: true}
	}
	return hints
}
