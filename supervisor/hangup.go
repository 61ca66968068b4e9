package supervisor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/hangup"
	"github.com/devguard/devguard/supervisor/logline"
)

// hangingUp ends connections of the clients of one generation while it is being stopped.
type hangingUp struct {
	app       hangup.App // At is empty when nothing is to be ended
	clients   hangup.App // all that it serves
	listening func(pids []int) []netip.AddrPort
	spares    func(hangup.Server)     // says what is left alone; nil: nothing is ended
	learned   hangup.Learned          // ahead, of this generation
	known     map[netip.AddrPort]bool // see hangup.HTTP2

	cancel context.CancelFunc // nil: it has not begun
	ended  chan int           // how many, once it has ended
}

func (s *Supervisor) hangUp(g *generation, ahead learned) *hangingUp {
	app := hangup.App{Pids: func() []int { return g.own(g.tree.Pids()) }, After: g.cfg.App.HangUp}
	h := &hangingUp{app: app, clients: app, listening: s.listening, learned: ahead.of(g), known: s.speaks}
	if g.cfg.App.HangUp != config.Never {
		h.spares = s.sparesHTTP2
	}
	return h
}

// learned is what was found out of a generation once it was ready.
type learned struct {
	gen int
	hangup.Learned
}

// of is what of it counts for a generation.
func (l learned) of(g *generation) hangup.Learned {
	if l.gen != g.number {
		return l.Programs()
	}
	return l.Learned
}

// learn finds out ahead what the stop of a generation will want to know.
func (s *Supervisor) learn(g *generation, before learned) learned {
	if g.cfg.App.HangUp == config.Never {
		return before
	}
	pids := g.own(g.tree.Pids())
	return learned{g.number, before.Learn(pids, s.listening(pids), s.listening)}
}

// find looks where the app serves clients, and by what. It asks the app itself, which has to be
// reached yet by whoever connects.
func (h *hangingUp) find(pids []int) {
	h.clients.At = h.listening(pids)
	if h.spares == nil {
		return
	}
	h.app.At = h.clients.At
	for _, server := range hangup.HTTP2(pids, h.app.At, h.listening, h.learned, h.known) {
		h.spares(server)
		h.app.At = slices.DeleteFunc(slices.Clone(h.app.At), func(a netip.AddrPort) bool { return a == server.Addr })
	}
}

// begin is called right before each signal. The first one counts.
func (h *hangingUp) begin() {
	if h.cancel != nil {
		return
	}
	hangup.Settle(h.clients)
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.ended = cancel, make(chan int)
	go func() { h.ended <- hangup.Run(ctx, h.app) }()
}

// end returns how many connections were ended.
func (h *hangingUp) end() int {
	if h.cancel == nil {
		return 0
	}
	h.cancel()
	return <-h.ended
}

// sparesHTTP2 says, the first time, where the app may answer by HTTP/2. The counters of such a connection do
// not tell whether a request is unanswered.
func (s *Supervisor) sparesHTTP2(server hangup.Server) {
	s.http2.Do(func() {
		logline.Note(false, fmt.Sprintf("the app may serve HTTP/2 at %v (%s): its connections there are not hung up on when it stops, and may take the whole grace", server.Addr, server.By),
			`hang_up = "off" below [app] in devguard.toml asks for that`).To(s.Log)
	})
}
