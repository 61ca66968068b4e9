package supervisor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/hangup"
	"github.com/devguard/devguard/supervisor/logline"
)

// hangingUp ends connections of the clients of one generation while it is being stopped.
type hangingUp struct {
	app       hangup.App
	listening func(pids []int) []netip.AddrPort // nil: nothing is ended

	cancel context.CancelFunc // nil: it has not begun
	ended  chan int           // how many, once it has ended
}

func (s *Supervisor) hangUp(g *generation) *hangingUp {
	h := &hangingUp{app: hangup.App{Pids: g.tree.Pids, After: g.cfg.App.HangUp}}
	if g.cfg.App.HangUp != config.Never && !s.speaksGRPC() {
		h.listening = s.listening
	}
	return h
}

// begin is called right before each signal. The first one counts.
func (h *hangingUp) begin(pids []int) {
	if h.listening == nil || h.cancel != nil {
		return
	}
	h.app.At = h.listening(pids)
	hangup.Settle(h.app)
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

// speaksGRPC reports whether the app has gRPC, and says so the first time. It goes over HTTP/2, of
// which the counters of a connection do not tell whether a request is unanswered.
func (s *Supervisor) speaksGRPC() bool {
	imports := s.imports.Load()
	if imports == nil || !slices.ContainsFunc(*imports, isGRPC) {
		return false
	}
	s.grpc.Do(func() {
		logline.Note(false, "the app has gRPC: its open connections are not hung up on when it stops, and may take the whole grace",
			`hang_up = "off" below [app] in devguard.toml asks for that`).To(s.Log)
	})
	return true
}

func isGRPC(path string) bool {
	return path == "google.golang.org/grpc" || strings.HasPrefix(path, "connectrpc.com/")
}
