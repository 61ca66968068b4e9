package guard

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/logline"
)

const (
	// fixedTries and fixedPause bound how long a fixed address may be taken: after
	// an edit of devguard.toml by ourselves, until the generation that uses it ends.
	fixedTries = 200
	fixedPause = 50 * time.Millisecond
)

// openFixed begins to listen on the address that the configuration has for u.
func (u *upstream) openFixed() {
	address := u.access().listen
	if address == "" || !u.listeners.tryFixed() {
		return
	}
	if !u.listenFixed(address, true) {
		u.work.start(func() { u.retryFixed(address) })
	}
}

// retryFixed listens as soon as the address is free.
func (u *upstream) retryFixed(address string) {
	for try := range fixedTries {
		if !sleep(u.work.ctx, fixedPause) || u.listenFixed(address, try < fixedTries-1) {
			return
		}
	}
}

// listenFixed reports whether u has its fixed address now; quietly says nothing
// when it cannot have it.
func (u *upstream) listenFixed(address string, quietly bool) bool {
	l, err := login.ListenRelayed("tcp", address, u.access().config, login.Options{
		Serve:      func(ctx context.Context, c *login.Client) { u.serve(ctx, c, u.admitRelayed) },
		Generation: u.generationOf,
		Log:        u.log.Logger,
	})
	if err != nil {
		if !quietly {
			logline.Warning(addressTaken{err}).To(u.log.Logger)
		}
		return false
	}
	u.listeners.setFixed(l)
	return true
}

// addressTaken says why there is no listener at the fixed address.
type addressTaken struct{ error }

// Hint says what to do about it.
func (addressTaken) Hint() string {
	return "another program has the address: end it, or write another one as listen in devguard.toml"
}

// generationOf returns the generation whose process tree holds the other end of a
// connection now, 0 when it is nobody of ours.
func (s shared) generationOf(c net.Conn) int {
	if s.pids == nil {
		return 0
	}
	gen, pids := s.pids()
	conns, err := sockets.Connections(pids)
	theirs := sockets.Conn{Local: addrPort(c.RemoteAddr()), Remote: addrPort(c.LocalAddr())}
	if err != nil || !slices.Contains(conns, theirs) {
		return 0
	}
	return gen
}
