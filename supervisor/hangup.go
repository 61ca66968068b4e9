package supervisor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/hangup"
	"github.com/devguard/devguard/supervisor/logline"
)

// hangingUp ends connections of the clients of one generation while it is being stopped.
type hangingUp struct {
	app       hangup.App // At is empty when nothing is to be ended
	clients   hangup.App // all that it serves
	listening func(pids []int) []netip.AddrPort
	spares    func(http2 []netip.AddrPort) // says what is left alone; nil: nothing is ended
	known     map[netip.AddrPort]bool      // see hangup.HTTP2

	cancel context.CancelFunc // nil: it has not begun
	ended  chan int           // how many, once it has ended
}

func (s *Supervisor) hangUp(g *generation) *hangingUp {
	app := hangup.App{Pids: func() []int { return g.own(g.tree.Pids()) }, After: g.cfg.App.HangUp}
	h := &hangingUp{app: app, clients: app, listening: s.listening, known: s.speaks}
	if g.cfg.App.HangUp != config.Never && !s.speaksGRPC() {
		h.spares = s.sparesHTTP2
	}
	return h
}

// find looks where the app serves clients, and by what. It asks the app itself, which has to be
// reached yet by whoever connects.
func (h *hangingUp) find(pids []int) {
	h.clients.At = h.listening(pids)
	if h.spares == nil {
		return
	}
	h.app.At = h.clients.At
	if http2 := hangup.HTTP2(pids, h.app.At, h.known); len(http2) > 0 {
		h.spares(http2)
		h.app.At = slices.DeleteFunc(slices.Clone(h.app.At), func(a netip.AddrPort) bool { return slices.Contains(http2, a) })
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

// speaksGRPC reports whether the app has gRPC, or HTTP/2 without TLS, and says so the first time. The
// counters of such a connection do not tell whether a request is unanswered.
func (s *Supervisor) speaksGRPC() bool {
	imports := s.imports.Load()
	if imports == nil {
		return false
	}
	i := slices.IndexFunc(*imports, isHTTP2)
	if i < 0 {
		return false
	}
	s.grpc.Do(func() {
		logline.Note(false, "the app has "+(*imports)[i]+": its open connections are not hung up on when it stops, and may take the whole grace",
			`hang_up = "off" below [app] in devguard.toml asks for that`).To(s.Log)
	})
	return true
}

// sparesHTTP2 says, the first time, where the app answers by HTTP/2.
func (s *Supervisor) sparesHTTP2(at []netip.AddrPort) {
	s.http2.Do(func() {
		logline.Note(false, fmt.Sprintf("the app may serve HTTP/2 at %v: its connections there are not hung up on when it stops, and may take the whole grace", at[0]),
			`hang_up = "off" below [app] in devguard.toml asks for that`).To(s.Log)
	})
}

func isHTTP2(path string) bool {
	return path == "google.golang.org/grpc" || path == "golang.org/x/net/http2/h2c" || strings.HasPrefix(path, "connectrpc.com/")
}
