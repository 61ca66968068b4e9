package reload

import (
	"slices"

	"github.com/devguard/devguard/supervisor/change"
)

// A file may change while a generation starts, which has then read either state. When the file goes
// back to what it was (a checkout, an undo), the digests are again those that the generation was
// started with, and say nothing of what it has read: it is replaced whatever they say.

// noteMixed owes a restart when a file was rewritten while a generation started that reads it. One
// that comes or goes may be a lock or a journal of the app: that counts once the burst is over.
func (m *machine) noteMixed(asking []change.Path, set change.Set) {
	if m.serving() && m.fresh(set.At) && slices.ContainsFunc(asking, rewritten) {
		m.again = true
		m.oweRestart(afterMixture)
	}
}

// rewritten reports whether the app, or we for it, may have read another state of the file.
func rewritten(p change.Path) bool {
	return p.Op == change.Write && (p.Class.Runtime || p.Class.Env)
}

// noteMixedBurst owes a restart when a burst that is over has left other files than the generation
// was started with.
func (m *machine) noteMixedBurst() {
	made := m.inst.made
	if m.serving() && m.fresh(m.now) && (made.runtime != m.tree.Runtime || made.env != m.tree.Env) {
		m.oweRestart(afterMixture)
	}
}
