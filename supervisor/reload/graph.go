package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// graph is what is known of the files that the package is built from. It is
// listed beside the steps of the round, which wait for it only when it is unusable.
type graph struct {
	state   graphState
	listing ID            // List in flight; 0: none
	shape   change.Digest // Snapshot.Shape that it was listed at
	err     error         // of the last listing, not said yet
}

type graphState int

const (
	unlisted   graphState = iota // the first listing is not answered yet
	unlistable                   // it has brought nothing: a change of shape lists again
	listed
	unruled // listed by the settings of before
)

// known reports whether a listing was ever good: the tree is all there is.
func (g graph) known() bool { return g.state == listed || g.state == unruled }

// unusable reports whether nothing can be decided before the next listing.
func (g graph) unusable() bool { return g.state == unlisted || g.state == unruled }

// listDue reports whether the graph is not that of the tree, and nobody looks.
func (s State) listDue() bool {
	return s.graph.listing == 0 && (s.graph.unusable() || s.graph.shape != s.tree.Shape)
}

// listedNow reports whether the graph is that of the tree: Snapshot.Source is of all
// that the package is built from.
func (s State) listedNow() bool {
	return s.graph.state == listed && s.graph.listing == 0 && s.graph.shape == s.tree.Shape
}

// list reads the graph when its shape changed, beside everything else.
func (m *machine) list() {
	if m.listDue() {
		m.graph.listing = m.issue(func(id ID) Effect { return List{id} })
	}
}

// relistAll has everything listed by new settings.
func (m *machine) relistAll() {
	m.graph.state = unruled
	m.cancelListing() // it asked with the old settings
}

func (m *machine) cancelListing() {
	if m.graph.listing != 0 {
		m.cancel(m.graph.listing)
		m.graph.listing = 0
	}
}

func (m *machine) listedGraph(ev Listed) {
	g := &m.graph
	if ev.ID != g.listing {
		return
	}
	g.listing, g.err = 0, nil
	if ev.Err != nil && m.listFailed(ev) {
		return
	}
	m.adopt(ev.Brings)
	before, adopted := m.observe(ev.Snapshot)
	if !g.known() && !ev.StaleConfig {
		m.config = config{digest: ev.Snapshot.Config, version: ev.Snapshot.Version}
	}
	g.state, g.shape = listed, ev.Snapshot.Shape
	if ev.Stale {
		g.shape = change.Digest{}
	}
	m.again = m.again || !before.SameWork(m.tree) || g.shape != m.tree.Shape
	m.rebase(before, adopted, ev.Adopted)
}

// listFailed reports whether nothing more can be made of a failed listing. A
// broken tree still has a snapshot; the next change of its shape lists again.
func (m *machine) listFailed(ev Listed) bool {
	if ev.Fatal && m.hopeless() {
		m.err, m.closing = ev.Err, graceful{}
		return true
	}
	g := &m.graph
	g.err = ev.Err
	if ev.Snapshot.Version != 0 {
		return false
	}
	g.shape = m.tree.Shape
	switch g.state {
	case unlisted:
		g.state = unlistable
	case unruled:
		g.state = listed
	}
	return true
}

// tellListing says why a listing failed, once there is nothing to list or to
// build: a build that fails has said the same, and the next listing may be good.
func (m *machine) tellListing() {
	if m.graph.err == nil || m.graph.listing != 0 || m.round.open() || m.again || m.settling() {
		return
	}
	if _, bad := m.built.(badBuild); !bad {
		m.log(Log{What: LogListFailed, Err: m.graph.err})
	}
	m.graph.err = nil
}

// rebase carries the verdict about the last build over to a larger or smaller
// set of files: the digest differs because the set does, not because of an
// edit. A build that began before the latest change of what was found may have
// read another state of that, also when it has ended since with the larger set;
// the listing may have looked again after that, so that its snapshot is the newer
// one. A build that failed may have missed what was found, moved here with its old
// times: the larger set is built, whatever the times say.
func (m *machine) rebase(before change.Snapshot, adopted bool, found time.Time) {
	switch r := m.round.(type) {
	case building:
		m.round = r.grow(found, m.now)
		return
	case cancelling:
		m.round = cancelling{r.grow(found, m.now)}
		return
	}
	switch b := m.built.(type) {
	case badBuild:
		if !found.IsZero() {
			b.source, m.again = change.Digest{}, true
		}
		m.built = b
	case goodBuild:
		early := found.Before(b.started)
		switch {
		case adopted && early && b.source == before.Source && m.tree.Seq == before.Seq:
			b.source = m.tree.Source
		case !early && b.source == m.tree.Source:
			b.source, m.again = change.Digest{}, true
		}
		m.built = b
	}
}

// grow takes into account that a listing found files, the latest of which
// changed at found; zero: it found none.
func (b building) grow(found, now time.Time) building {
	b.grown = b.grown || !found.IsZero()
	if found.After(b.started) && b.stale.IsZero() {
		b.stale = now
	}
	return b
}
