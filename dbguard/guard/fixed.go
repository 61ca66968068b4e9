package guard

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/logline"
)

const (
	// fixedTries and fixedPause bound how long another program may have a fixed
	// address: one that is just ending, like the devguard before this one.
	fixedTries = 200
	fixedPause = 50 * time.Millisecond
)

// openFixed begins to listen on the address that the configuration has for u, at once
// when it is free.
func (u *upstream) openFixed() {
	address := u.access().listen
	if address == "" || !u.listeners.tryFixed() {
		return
	}
	socket, turn, err := u.addresses.listen(u.work, address)
	if socket != nil {
		u.serveFixed(socket)
		return
	}
	if !u.work.start(func() { u.awaitFixed(address, turn, err) }) {
		u.awaitFixed(address, turn, err) // the Guard is closed: it leaves the line at once
	}
}

// awaitFixed waits for an earlier Guard to give up the address, as long as that takes,
// and for another program within fixedTries.
func (u *upstream) awaitFixed(address string, turn *turn, err error) {
	var socket net.Listener
	for tries := 0; ; {
		switch {
		case socket != nil: // also when the Guard is closed by now: it is passed on then
			u.serveFixed(socket)
			return
		case turn != nil:
			socket, turn = turn.await(u.work.ctx), nil
			continue
		case u.work.ctx.Err() != nil:
			return
		case err != nil && tries == fixedTries:
			u.noFixed(err)
			return
		case err != nil:
			sleep(u.work.ctx, fixedPause)
			tries++
		}
		socket, turn, err = u.addresses.listen(u.work, address)
	}
}

// serveFixed serves whoever connects to the fixed address.
func (u *upstream) serveFixed(socket net.Listener) {
	l, err := login.ListenRelayed(socket, u.access().config, login.Options{
		Serve:      func(ctx context.Context, c *login.Client) { u.serve(ctx, c, u.admitRelayed) },
		Generation: u.generationOf,
		LeftForTLS: func() { u.sayNoTLS(socket.Addr().String()) },
		Log:        u.log.Logger,
	})
	if err != nil {
		u.noFixed(err)
		return
	}
	u.listeners.setFixed(l)
}

// sayNoTLS says, once, that a fixed address has no TLS: over it the proof that a client
// gives of its password would not fit the upstream's connection.
func (u *upstream) sayNoTLS(address string) {
	if u.log.first("no TLS at " + address) {
		logline.NoTLSAt(address, u.access().variables[0], u.name).To(u.log.Logger)
	}
}

func (u *upstream) noFixed(err error) {
	err = fmt.Errorf("listen for the app's database sessions: %w", err)
	logline.Warning(addressTaken{err}).To(u.log.Logger)
}

// addressTaken says why there is no listener at the fixed address.
type addressTaken struct{ error }

// Hint says what to do about it.
func (addressTaken) Hint() string {
	return "another program has the address: end it, or write another one as listen in devguard.toml"
}

// generationOf returns the generation whose process tree holds the other end of a
// connection now, 0 when it is nobody of ours.
func (s shared) generationOf(c net.Conn) int { return s.ownerOf(c).Gen }

// ownerOf returns who holds the other end of a connection now.
func (s shared) ownerOf(c net.Conn) login.Owner {
	if s.pids == nil {
		return login.Owner{}
	}
	gen, pids := s.pids()
	pids = sockets.SameNetwork(pids)
	conns, _ := sockets.Connections(pids) // those of processes that we may not look at are nobody's
	theirs := sockets.Conn{Local: addrPort(c.RemoteAddr()), Remote: addrPort(c.LocalAddr())}
	if !slices.Contains(conns, theirs) {
		return login.Owner{}
	}
	return login.Owner{Gen: gen, SameUser: sockets.SameUser(pids)}
}
