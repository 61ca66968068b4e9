package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/ready"
	"github.com/devguard/devguard/supervisor/reload"
)

// address is where clients reach the app while devguard answers for it. A nil address is none: the
// app has its own.
type address struct {
	front *front.Process
	place place

	dir, editor string // for links to the source

	told  string               // the problems that pages were told last
	news  chan []front.Problem // the newest ones; nil when pages are left alone
	shown chan struct{}        // closed when none are shown any more
}

// place is where clients and the app are: apart, or *inPlace.
type place interface {
	// dials are the addresses at which the app may listen, in the order in which they are tried. None:
	// the front knows.
	dials() []string

	// await has a generation be ready when it listens where requests are sent to.
	await(*ready.Rule, *ready.Target)

	// found says of a generation that is ready where it listens.
	found(listening []netip.AddrPort)
}

// openAddress begins to answer for the app, as the configuration says. Nil without an error: it
// does not say so.
func openAddress(cfg *config.Config, holder *listeners.Holder, log *slog.Logger) (*address, error) {
	a := address{dir: cfg.App.BuildDir, editor: cfg.Front.Editor}
	var err error
	switch cfg.Front.Listen {
	case "":
		return nil, nil
	case config.FrontOfApp:
		a.front, a.place, err = openInPlace(cfg, holder, log)
	default:
		a.front, a.place, err = openApart(cfg, log)
	}
	if err != nil {
		return nil, err
	}
	if cfg.Front.LiveReload {
		a.news, a.shown = make(chan []front.Problem, 1), make(chan struct{})
		go a.show()
	}
	return &a, nil
}

// startFront starts a front that listens there; "" for where the app binds.
func startFront(cfg *config.Config, listen string, log *slog.Logger) (*front.Process, error) {
	o := front.Options{Listen: listen, Hold: cfg.Front.Hold, Live: cfg.Front.LiveReload, Remote: cfg.Front.RemoteOverlay}
	return front.Start(o, func(err error) {
		logline.Note(true, err.Error(), "leave kill-port, fuser -k and their like out of what devguard runs").To(log)
	})
}

// close ends answering. Nothing of the app may be left.
func (a *address) close() {
	if a == nil {
		return
	}
	if a.news != nil {
		close(a.news)
		<-a.shown
	}
	a.front.Close()
}

// show has pages show what has failed. The front may have to be started again first.
func (a *address) show() {
	defer close(a.shown)
	for problems := range a.news {
		a.front.Show(problems)
	}
}

// started says that the process of a generation exists.
func (a *address) started(gen int) {
	if a != nil {
		a.front.Started(gen, a.place.dials()...)
	}
}

// await has a generation be ready when it listens where requests are sent to.
func (a *address) await(r *ready.Rule, t *ready.Target) {
	if a != nil {
		a.place.await(r, t)
	}
}

// found says whether a generation was found ready, and where it listens.
func (a *address) found(gen int, err error, listening []netip.AddrPort) {
	switch {
	case a == nil:
	case err != nil:
		a.front.NotReady(gen, err.Error())
	default:
		a.front.Ready(gen)
		a.place.found(listening)
	}
}

// seen returns the addresses by which clients know those that the app listens on.
func (a *address) seen(listening []netip.AddrPort) []netip.AddrPort {
	if a == nil {
		return listening
	}
	seen := slices.Clone(listening)
	for i, at := range seen {
		seen[i] = a.front.Seen(at)
	}
	return seen
}

// answersFor reports whether clients reach the app by way of the front when it listens there.
func (a *address) answersFor(at netip.AddrPort) bool {
	return a != nil && a.front.Seen(at) != at
}

// exited says that the main process of a generation has ended.
func (a *address) exited(gen int) {
	if a != nil {
		a.front.Exited(gen)
	}
}

// quieten has no request unanswered when it returns, unless the app has ended, its grace is over,
// or ctx has ended. From then on requests wait.
func (a *address) quieten(ctx context.Context, g *generation) {
	if a == nil {
		return
	}
	a.front.Stopping(g.number)
	if g.cfg.Debug.On {
		return // it may stand at a breakpoint, and answers nobody
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.App.Grace)
	defer cancel()
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		a.front.Settle(ctx, g.number)
	}()
	select {
	case <-settled:
	case <-g.ended():
		cancel()
		<-settled
	}
}

// endingStreams ends what a generation that is being stopped leaves open.
type endingStreams struct {
	address *address
	gen     int
	after   time.Duration // since the signal: the app may end them itself

	timer *time.Timer // nil: it has not begun
	ended chan int    // how many
}

func (a *address) endStreams(g *generation) *endingStreams {
	return &endingStreams{address: a, gen: g.number, after: g.cfg.App.HangUp}
}

// begin is called right before each signal. The first one counts.
func (e *endingStreams) begin() {
	if e.address == nil || e.after == config.Never || e.timer != nil {
		return
	}
	e.ended = make(chan int, 1)
	e.timer = time.AfterFunc(e.after, func() { e.ended <- e.address.front.EndStreams(e.gen) })
}

// end returns how many were ended.
func (e *endingStreams) end() int {
	if e.timer == nil || e.timer.Stop() {
		return 0
	}
	return <-e.ended
}

// ended says that no process of a generation is left.
func (a *address) ended(gen int) {
	if a != nil {
		a.front.Ended(gen)
	}
}

// refresh has pages reload, or take their stylesheets anew.
func (a *address) refresh(styles bool) {
	switch {
	case a == nil:
	case styles:
		a.front.Restyle()
	default:
		a.front.Reload()
	}
}

// idle says to clients why nothing becomes of the app before a change, or before the pause after so many
// crashes in a row is over; both "" when something is done.
func (a *address) idle(reason, pause string, crashes int) {
	switch {
	case a == nil:
	case reason == "" && pause != "":
		a.front.Crashed(pause, crashes)
	default:
		a.front.Idle(reason)
	}
}

// publish tells pages what has failed, and clients that devguard ends. It does not wait.
func (a *address) publish(snap reload.Snapshot) {
	if a == nil {
		return
	}
	if slices.ContainsFunc(snap.Holds, func(h reload.Hold) bool { return h.What == "shutdown" }) {
		a.front.Closing()
	}
	if a.news == nil || snap.Done {
		return
	}
	problems := problemsOf(snap, a.dir, a.editor)
	text := fmt.Sprint(problems)
	if text == a.told {
		return
	}
	a.told = text
	select {
	case <-a.news: // nobody has looked at it yet
	default:
	}
	a.news <- problems
}
