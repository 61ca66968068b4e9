package front

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/devguard/devguard/supervisor/gate"
)

// Options are what a Front is made of.
type Options struct {
	Listen string        // host:port; "" for those that are taken over alone
	Hold   time.Duration // how long a request waits for the app
	Live   bool          // pages get a script that reloads them, and shows what has failed
	Remote bool          // clients of other machines may know why the app does not answer
}

// Front is the public address. Its methods may be called from several goroutines; only Settle
// waits.
type Front struct {
	passage   *passage
	live      *live // nil: pages are left alone
	entrances *entrances
	own       *entrance // of Options.Listen; nil without
}

// maxStreams bounds the requests of one connection of HTTP/2: the app has a bound of its own, which
// is to count. A server of gRPC has none by default, net/http 250.
const maxStreams = 100_000

// Open listens, and has requests wait until a generation is ready.
func Open(o Options) (*Front, error) {
	f := &Front{passage: newPassage(o.Hold)}
	if o.Live {
		f.live = newLive()
	}
	f.entrances = newEntrances(f.passage, newServer(newProxy(f.passage, f.live, private(o.Remote))))
	if o.Listen == "" {
		return f, nil
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the front: %w", err)
	}
	f.own = f.entrances.add(l.(*net.TCPListener))
	return f, nil
}

func newServer(h http.Handler) *http.Server {
	s := &http.Server{
		Handler:                      h,
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true,
		Protocols:                    new(http.Protocols),
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// Addr is the address of Options.Listen.
func (f *Front) Addr() net.Addr { return f.own.Addr() }

// Started says that the process of a generation exists, and where it will listen: addresses of
// which the first that takes a connection counts; without any, the addresses that Take has
// returned.
func (f *Front) Started(gen int, at ...string) {
	f.passage.started(newUpstream(gen, f.entrances.behind, at))
}

// Ready says that a generation was found ready: requests go there, and pages reload. Pages are told first: those
// that have waited for it would be of the time before otherwise, and be loaded twice.
func (f *Front) Ready(gen int) {
	if f.live != nil {
		f.live.ready(gen)
	}
	f.passage.change(func(g *gate.Gate) { g.Ready(gen) })
}

// Show says to pages what has failed; nothing, when all is well again.
func (f *Front) Show(problems []Problem) {
	if f.live != nil {
		f.live.show(problems)
	}
}

// Reload has pages reload: what the app makes them of has changed.
func (f *Front) Reload() {
	if f.live != nil {
		f.live.reload()
	}
}

// Restyle has pages take their stylesheets anew.
func (f *Front) Restyle() {
	if f.live != nil {
		f.live.restyle()
	}
}

// NotReady says that a generation was not ready in time, and why. Pages reload once it answers all the same.
func (f *Front) NotReady(gen int, reason string) {
	f.passage.change(func(g *gate.Gate) { g.NotReady(gen, reason) })
}

// Exited says that the main process of a generation has ended by itself.
func (f *Front) Exited(gen int) { f.passage.change(func(g *gate.Gate) { g.Exited(gen) }) }

// Stopping says that a generation is to be stopped: from now on requests wait.
func (f *Front) Stopping(gen int) { f.passage.change(func(g *gate.Gate) { g.Stopping(gen) }) }

// Settle waits until a generation that is to be stopped owes no answer, and no longer than ctx.
// After that nothing of ours keeps a connection to it but streams.
func (f *Front) Settle(ctx context.Context, gen int) {
	f.passage.settle(ctx, gen)
	f.passage.endStreams(gen, atOnce)
	if up := f.passage.current(); up != nil && up.gen == gen {
		up.close()
	}
}

// EndStreams ends what a generation that was asked to stop has left open, and returns how many
// there were. Connections that are no HTTP are left alone.
func (f *Front) EndStreams(gen int) int { return f.passage.endStreams(gen, later) }

// Ended says that no process of a generation is left.
func (f *Front) Ended(gen int) { f.passage.change(func(g *gate.Gate) { g.Ended(gen) }) }

// Idle says why no generation runs and none is on its way, to whoever asks meanwhile; "" when one
// runs or is on its way.
func (f *Front) Idle(reason string) {
	f.passage.change(func(g *gate.Gate) {
		if reason == "" {
			g.Active()
		} else {
			g.Idle(reason)
		}
	})
}

// Crashed says that the app has crashed, how often in a row, why, and that it is started again after a
// pause: pages say so meanwhile, and from the second crash in a row on every client is told.
func (f *Front) Crashed(reason string, inARow int) {
	f.passage.change(func(g *gate.Gate) { g.Crashed(reason, inARow) })
}

// Closing says that devguard is about to end: requests are refused.
func (f *Front) Closing() { f.passage.change(func(g *gate.Gate) { g.Close() }) }

// last is how long answers that are being written may take when devguard ends.
const last = time.Second

// Close ends everything, and returns when nothing of ours runs.
func (f *Front) Close() {
	f.Closing()
	if f.live != nil {
		close(f.live.ended)
	}
	ctx, cancel := context.WithTimeout(context.Background(), last)
	defer cancel()
	f.entrances.end(ctx)
	if up := f.passage.current(); up != nil {
		up.close()
	}
}
