package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The limits of a login (design: before it 10 s, 10,000 bytes, 64 at once). Ten
// thousand bytes are what Postgres itself allows for a startup packet.
const (
	loginTimeout  = 10 * time.Second
	loginBytes    = 10_000
	loginsAtOnce  = 64
	loginPatience = 500 * time.Millisecond

	// acceptPause is how long nothing is accepted after an error, which is mostly
	// that there are no file descriptors.
	acceptPause = 50 * time.Millisecond
)

// listenerOptions configure a listener. They are copied by listen.
type listenerOptions struct {
	salt    []byte          // of all secrets; newSalt makes one
	secrets func() []secret // those that may log in now, asked at each login; not changed once returned
	serve   serveFunc       // in a goroutine of its own, which close waits for; the client is closed when it returns
	cancel  cancelFunc      // likewise
	log     *slog.Logger

	// upstream makes a listener of the other kind, which has no secrets: logins are
	// relayed there, and generation says whose client a connection is that has just
	// sent its startup message (optional, 0 without).
	upstream   *pgconn.Config
	generation func(net.Conn) int

	// The limits, for tests; zero is as design.md says.
	timeout  time.Duration // of a login
	logins   int           // at once
	patience time.Duration // with who is silent while all are taken
}

// serveFunc serves a client until it ends; it returns soon after ctx is done.
type serveFunc = func(ctx context.Context, c *client)

// cancelFunc passes a CancelRequest on and returns when that is done, or ctx is.
type cancelFunc = func(ctx context.Context, pid uint32, secret []byte)

// listener is an address of ours for one upstream. Whoever connects there and
// knows a live secret, or whom the upstream lets in, is served. It promises that whatever others do there costs
// a bounded amount of memory and goroutines, reaches no upstream, keeps no honest
// client out for good and holds up no close.
type listener struct {
	l    net.Listener
	o    listenerOptions
	room *waitingRoom

	accepting context.Context // done once close is called
	stop      context.CancelFunc
	served    context.Context // done when sessions must end
	end       context.CancelFunc
	work      sync.WaitGroup
}

// listen opens a listener on a loopback address, or on a Unix socket which must
// not exist; only our own user can connect to that.
func listen(network, address string, o listenerOptions) (*listener, error) {
	if len(o.salt) == 0 && o.upstream == nil {
		return nil, errors.New("a listener needs a salt")
	}
	nl, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen for the app's database sessions: %w", err)
	}
	if err := ours(nl.Addr()); err != nil {
		_ = nl.Close()
		return nil, fmt.Errorf("listen for the app's database sessions on %s: %w", address, err)
	}
	return attach(nl, o), nil
}

// attach begins to serve who comes to nl.
func attach(nl net.Listener, o listenerOptions) *listener {
	setDefaults(&o)
	l := &listener{l: nl, o: o, room: newWaitingRoom(o.logins, o.patience)}
	l.accepting, l.stop = context.WithCancel(context.Background())
	l.served, l.end = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	return l
}

func setDefaults(o *listenerOptions) {
	if o.timeout <= 0 {
		o.timeout = loginTimeout
	}
	if o.logins <= 0 {
		o.logins = loginsAtOnce
	}
	if o.patience <= 0 {
		o.patience = loginPatience
	}
	if o.log == nil {
		o.log = slog.Default()
	}
}

// ours makes sure that nobody from another machine, nor through a socket another
// user, can reach an address.
func ours(addr net.Addr) error {
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return nil
		}
	case *net.UnixAddr:
		return os.Chmod(a.Name, 0o600)
	}
	return errors.New("it is not a loopback address")
}

func (l *listener) addr() net.Addr { return l.l.Addr() }

// accept takes connections in as long as there are seats for their logins.
func (l *listener) accept() {
	failing := false
	for l.room.takeSeat(l.accepting) {
		conn, err := l.l.Accept()
		if err != nil {
			l.room.freeSeat()
			if l.accepting.Err() != nil {
				return
			}
			if !failing {
				l.o.log.Warn("cannot accept database sessions of the app", "listener", l.addr().String(), "error", err.Error())
			}
			failing = true
			l.pause()
			continue
		}
		failing = false
		g := l.room.enter(conn)
		l.work.Go(func() { l.attend(g) })
	}
}

// pause waits acceptPause, or until close.
func (l *listener) pause() {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.accepting.Done():
	}
}

// close stops accepting, ends every login at once, and waits for those that are
// served. When ctx is done, now perhaps, their context is. It returns when
// every goroutine of the listener has ended.
func (l *listener) close(ctx context.Context) {
	l.stop()
	_ = l.l.Close()
	l.room.close()
	release := context.AfterFunc(ctx, l.end)
	l.work.Wait()
	release()
	l.end()
}
