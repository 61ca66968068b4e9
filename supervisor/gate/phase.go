package gate

import (
	"fmt"
	"time"
)

// Options are the settings that decisions depend on.
type Options struct {
	Hold time.Duration // how long a request may wait for the app
}

// Gate is what is known of the app and of the requests that are under way. It is made by New.
type Gate struct {
	hold      time.Duration
	phase     phase
	last      ID
	exchanges map[ID]exchange
}

// New returns a Gate before the first start of the app.
func New(o Options) *Gate {
	return &Gate{hold: o.Hold, phase: away{}, exchanges: map[ID]exchange{}}
}

// phase is one of the types below, with what is known in that phase alone.
type phase interface{ phase() }

type (
	// away: no process of the app is there that was not asked to go, and something is done that may
	// bring one.
	away struct{}

	// down: no process of the app is left, and nothing is done before a change.
	down struct{ reason string }

	// crashed: no process of the app is left that was not asked to go; the next one is started after
	// a pause.
	crashed struct {
		reason string
		inARow int // crashes
	}

	// starting: the process of that generation exists. It was not found ready yet.
	starting struct{ gen int }

	// serving: that generation was found ready.
	serving struct{ gen int }

	// unready: that generation was not ready in time, and goes on.
	unready struct {
		gen    int
		reason string
	}

	// stopping: that generation is asked to stop, or is about to be.
	stopping struct{ gen int }

	// closing: devguard ends.
	closing struct{}
)

func (away) phase()     {}
func (down) phase()     {}
func (crashed) phase()  {}
func (starting) phase() {}
func (serving) phase()  {}
func (unready) phase()  {}
func (stopping) phase() {}
func (closing) phase()  {}

// Started says that the process of a generation exists. The one before must have ended.
func (g *Gate) Started(gen int) {
	switch p := g.phase.(type) {
	case away, down, crashed:
		g.phase = starting{gen}
	case closing:
	default:
		panic(fmt.Sprintf("BUG: generation %d starts while the app is %#v", gen, p))
	}
}

// Ready says that a generation was found ready.
func (g *Gate) Ready(gen int) {
	switch p := g.phase.(type) {
	case starting:
		if p.gen == gen {
			g.phase = serving{gen}
		}
	case unready:
		if p.gen == gen {
			g.phase = serving{gen}
		}
	}
}

// NotReady says that a generation was not ready in time, and why. It goes on, and may be ready by
// the time that a request comes.
func (g *Gate) NotReady(gen int, reason string) {
	if p, is := g.phase.(starting); is && p.gen == gen {
		g.phase = unready{gen, reason}
	}
}

// Exited says that the main process of a generation has ended by itself.
func (g *Gate) Exited(gen int) {
	if current, runs := g.running(); runs && current == gen {
		g.phase = away{}
	}
}

// Stopping says that a generation is to be stopped: nothing is sent to it any more.
func (g *Gate) Stopping(gen int) {
	if current, runs := g.running(); runs && current == gen {
		g.phase = stopping{gen}
	}
}

// Ended says that no process of a generation is left.
func (g *Gate) Ended(gen int) {
	if p, is := g.phase.(stopping); is && p.gen == gen {
		g.phase = away{}
	}
}

// Idle says that nothing is done before a change, and why; reason is for clients.
func (g *Gate) Idle(reason string) {
	switch g.phase.(type) {
	case away, down, crashed:
		g.phase = down{reason}
	}
}

// Crashed says that the app has crashed, how often in a row, and that it is started again after a
// pause; reason is for clients.
func (g *Gate) Crashed(reason string, inARow int) {
	switch g.phase.(type) {
	case away, down, crashed:
		g.phase = crashed{reason, inARow}
	}
}

// Active says that something is done that may bring a generation.
func (g *Gate) Active() {
	switch g.phase.(type) {
	case down, crashed:
		g.phase = away{}
	}
}

// Close says that devguard ends: no generation comes any more.
func (g *Gate) Close() { g.phase = closing{} }

// running returns the generation that has a process, as far as is known, and was not asked to stop.
func (g *Gate) running() (gen int, ok bool) {
	switch p := g.phase.(type) {
	case starting:
		return p.gen, true
	case serving:
		return p.gen, true
	case unready:
		return p.gen, true
	}
	return 0, false
}

// Serving returns the generation that requests are sent to; false when they are not.
func (g *Gate) Serving() (gen int, ok bool) {
	switch p := g.phase.(type) {
	case serving:
		return p.gen, true
	case unready:
		return p.gen, true
	}
	return 0, false
}
