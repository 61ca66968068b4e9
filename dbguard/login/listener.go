package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/supervisor/logline"
)

// Slots is how many logins may be under way at once at one listener.
const Slots = 64

// The limits of a login. Ten thousand bytes are what Postgres itself allows for a
// startup packet; the others are guesses at what no honest client needs.
const (
	loginTimeout  = 10 * time.Second
	loginBytes    = 10_000
	loginPatience = 500 * time.Millisecond

	// acceptPause is how long nothing is accepted after an error, which is mostly
	// that there are no file descriptors.
	acceptPause = 50 * time.Millisecond
)

// Options configure a Listener. They are copied by Listen and ListenRelayed.
type Options struct {
	// Serve is given each client that has logged in, in a goroutine of its own,
	// which Close waits for. It must return soon after ctx is done; the client is
	// closed when it returns.
	Serve func(ctx context.Context, c *Client)

	// Secrets returns those that clients may log in with now. It is asked at each
	// login, from any goroutine; what it returns is read until the login is over,
	// and must not be changed. For Listen alone.
	Secrets func() []Secret

	// Generation returns the generation of the app that a connection belongs to
	// which has just sent its startup message, 0 when it is not the app's; nil
	// means always 0. For ListenRelayed alone.
	Generation func(net.Conn) int

	// App is how clients of the app itself are served that want something else than
	// their URL says; nil: they are not. For Listen alone.
	App *App

	// LeftForTLS is told of a client that has left because there is no TLS here; nil:
	// nobody is. It must not block. For ListenRelayed alone.
	LeftForTLS func()

	// Log is told at level debug why logins fail, and that none can be accepted.
	// Default slog.Default().
	Log *slog.Logger

	// The limits, for tests; zero means the default.
	timeout  time.Duration // of a login, or of each turn of the client's when it is relayed
	logins   int           // at once
	patience time.Duration // with a login's own part while all slots are taken
}

// Listener is an address of ours for one upstream. Its methods may be called from
// any goroutine.
type Listener struct {
	net      net.Listener
	o        Options
	salt     []byte
	upstream *pgconn.Config // where logins are relayed to; nil: they are checked by Secrets
	pending  *pendingLogins
	keys     cancelKeys

	suspected atomic.Int32 // for how many logins more it is found out beforehand whose they are

	accepting context.Context // done once Close is called
	stop      context.CancelFunc
	served    context.Context // done when sessions must end
	end       context.CancelFunc
	work      sync.WaitGroup
}

// Listen opens a listener on a loopback address, or on a Unix socket, which must
// not exist and which only our own user can connect to. Its clients log in with a
// password that one of Options.Secrets was made of.
func Listen(network, address string, o Options) (*Listener, error) {
	on, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen for the app's database sessions: %w", err)
	}
	return listen(on, nil, o)
}

// ListenRelayed is Listen for clients that do not know a password of ours, as they read
// their URL from somewhere else: their logins are relayed to upstream, which alone
// decides. So the listener grants nothing that its clients could not get without
// it. upstream is copied; whose user, database and password it names does not
// matter, the client's count. on is the socket, a loopback address; the Listener
// closes it, also when there is an error.
func ListenRelayed(on net.Listener, upstream *pgconn.Config, o Options) (*Listener, error) {
	return listen(on, upstream.Copy(), o)
}

func listen(on net.Listener, upstream *pgconn.Config, o Options) (*Listener, error) {
	if err := ours(on.Addr()); err != nil {
		_ = on.Close()
		return nil, fmt.Errorf("listen for the app's database sessions on %s: %w", on.Addr(), err)
	}
	return attach(on, upstream, o), nil
}

// attach begins to serve who comes to a listener.
func attach(from net.Listener, upstream *pgconn.Config, o Options) *Listener {
	setDefaults(&o)
	l := &Listener{net: from, o: o, salt: newSalt(), upstream: upstream, pending: newPendingLogins(o.logins, o.patience)}
	l.accepting, l.stop = context.WithCancel(context.Background())
	l.served, l.end = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	return l
}

func setDefaults(o *Options) {
	if o.timeout <= 0 {
		o.timeout = loginTimeout
	}
	if o.logins <= 0 {
		o.logins = Slots
	}
	if o.patience <= 0 {
		o.patience = loginPatience
	}
	if o.Log == nil {
		o.Log = slog.Default()
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

// Addr returns where the listener is.
func (l *Listener) Addr() net.Addr { return l.net.Addr() }

// accept takes connections in as long as there are slots for their logins.
func (l *Listener) accept() {
	failing := false
	for l.pending.takeSlot(l.accepting) {
		conn, err := l.net.Accept()
		if err != nil {
			l.pending.freeSlot()
			if l.accepting.Err() != nil {
				return
			}
			if !failing {
				logline.CannotAccept(l.Addr().String(), err).To(l.o.Log)
			}
			failing = true
			l.pause()
			continue
		}
		failing = false
		p := l.pending.enter(conn)
		l.work.Go(func() { l.attend(p) })
	}
}

// pause waits acceptPause, or until Close.
func (l *Listener) pause() {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.accepting.Done():
	}
}

// StopAccepting gives up the address and ends every login at once. Clients that are
// served stay. It may be called again.
func (l *Listener) StopAccepting() {
	l.stop()
	_ = l.net.Close()
	l.pending.close()
}

// Close is StopAccepting, and waits for the clients that are served. When ctx is done, now perhaps, the context that they are served with
// is, too. It returns when every goroutine of the listener has ended, and may be
// called again.
func (l *Listener) Close(ctx context.Context) {
	l.StopAccepting()
	release := context.AfterFunc(ctx, l.end)
	l.work.Wait()
	release()
	l.end()
}
