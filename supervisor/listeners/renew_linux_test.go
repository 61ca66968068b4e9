package listeners

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/testneed"
)

// server is a listening socket of an app, which answers each connection with the bytes that it was sent.
type server struct {
	net.Listener
	copied int // a copy of its descriptor, as the keeper has it
	done   sync.WaitGroup
}

func serve(t *testing.T, l net.Listener) *server {
	t.Helper()
	s := &server{Listener: l, copied: copyOf(t, l)}
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.done.Go(func() {
				defer c.Close()
				io.CopyN(c, c, 4)
			})
		}
	})
	return s
}

// close closes the listener, not its copy, and waits for all answers.
func (s *server) close() {
	s.Listener.Close()
	s.done.Wait()
}

func copyOf(t *testing.T, l net.Listener) int {
	t.Helper()
	conn, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	conn.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// listenerOf takes a descriptor over.
func listenerOf(t *testing.T, fd int) net.Listener {
	t.Helper()
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ask(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "ping"); err != nil {
		return err
	}
	b, err := io.ReadAll(c)
	if err == nil && string(b) != "ping" {
		err = fmt.Errorf("answer %q", b)
	}
	return err
}

// TestRenew: while clients go on to connect, one generation after the other is asked to stop, and
// closes its socket when it has answered whom it has accepted. Nobody is refused or cut off.
func TestRenew(t *testing.T) {
	for _, at := range []struct{ network, addr, ask string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"}, {"tcp", "[::]:0", "127.0.0.1"}, {"tcp", "[::]:0", "::1"}, {"tcp6", "[::1]:0", "::1"},
	} {
		for _, mptcp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s from %s, MPTCP %v", at.addr, at.ask, mptcp), func(t *testing.T) {
				t.Parallel()
				var lc net.ListenConfig
				lc.SetMultipathTCP(mptcp)
				l, err := lc.Listen(context.Background(), at.network, at.addr)
				if err != nil {
					testneed.Skip(t, "ipv6", err)
				}
				addr := net.JoinHostPort(at.ask, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
				clients := askAgain(addr, 4)
				app := serve(t, l)
				passing := takeOver(nil)
				for range 2 {
					clients.goesOn()
					passing.ended.Wait()
					fd, olds := mustRenew(t, app.copied)
					app.close()
					passing = takeOver(olds)
					app = serve(t, listenerOf(t, fd))
				}
				if err := clients.stop(); err != nil {
					t.Error(err)
				}
				app.close()
				unix.Close(app.copied)
				passing.stop()
			})
		}
	}
}

// TestRenewedGetsAll: the new socket gets every connection that begins, the old one keeps its own.
func TestRenewedGetsAll(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"} {
		for _, mptcp := range []bool{false, true} {
			var lc net.ListenConfig
			lc.SetMultipathTCP(mptcp)
			l, err := lc.Listen(context.Background(), "tcp", addr)
			if err != nil {
				testneed.Skip(t, "ipv6", err)
			}
			old := copyOf(t, l)
			fd, olds, err := renew(old)
			if err != nil {
				t.Fatalf("%s, MPTCP %v: %v", addr, mptcp, err)
			}
			const clients = 20
			for range clients {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			if n := waits(fd, clients); n != clients {
				t.Errorf("%s, MPTCP %v: %d of %d came to the new socket", addr, mptcp, n, clients)
			}
			if other, err := lc.Listen(context.Background(), "tcp", l.Addr().String()); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("%s, MPTCP %v: others may listen there: %v", addr, mptcp, err)
				other.Close()
			}
			l.Close()
			for _, opened := range append(olds, fd) {
				unix.Close(opened)
			}
		}
	}
}

// waits waits for that many connections in the queue: the last packet of a handshake may be on its way.
func waits(fd, want int) (n int) {
	for end := time.Now().Add(5 * time.Second); n != want && time.Now().Before(end); {
		n, _ = waiting(fd)
	}
	return n
}

// TestTakeOver: who waits on the old socket is served by who has the new one, from the same address.
func TestTakeOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	old := copyOf(t, l)
	answered := make(chan error, 1)
	fd, err := twin(old)
	if err == nil {
		err = errors.Join(reusePort(old, 1), reusePort(fd, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { answered <- ask(l.Addr().String()) }()
	waits(old, 1)
	if err := listenAt(fd, old); err != nil {
		t.Fatal(err)
	}
	reusePort(fd, 0)
	l.Close()
	defer takeOver([]int{old}).stop()
	app := serve(t, listenerOf(t, fd))
	defer unix.Close(app.copied)
	defer app.close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestAcceptsOnAll: an app that is busy is waited for once, not for each of its sockets. Those on which
// nobody waits are renewed.
func TestAcceptsOnAll(t *testing.T) {
	kept := shelf{}
	var inodes []uint64
	const sockets = 100
	for i := range sockets {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		fd := copyOf(t, l)
		inode, err := inodeOf(fd)
		if err != nil {
			t.Fatal(err)
		}
		inodes, kept[inode] = append(inodes, inode), &keptSocket{fd: fd}
		if i > 0 {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			waits(fd, 1)
		}
	}
	began := time.Now()
	if _, _, err := kept.do(accepting(inodes)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < busy || took > sockets*busy/2 {
		t.Errorf("waited %v", took)
	}
	for i, inode := range inodes {
		if _, err := kept.renew(inode); (err == nil) != (i == 0) || i > 0 && !errors.Is(err, errBusy) {
			t.Errorf("socket %d: %v", i, err)
		}
	}
	for _, k := range kept {
		k.close()
	}
}

// mustRenew tries again while the app is slow to accept, on a busy machine.
func mustRenew(t *testing.T, old int) (fd int, olds []int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		err := accepts(old)
		if err == nil {
			if fd, olds, err = renew(old); err == nil {
				return fd, olds
			}
		}
		if !errors.Is(err, errBusy) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// clients ask again and again.
type clients struct {
	cancel   context.CancelFunc
	done     sync.WaitGroup
	answered chan struct{}
	failed   chan error
}

func askAgain(addr string, n int) *clients {
	ctx, cancel := context.WithCancel(context.Background())
	c := &clients{cancel: cancel, answered: make(chan struct{}), failed: make(chan error, n)}
	for range n {
		c.done.Go(func() {
			for ctx.Err() == nil {
				if err := ask(addr); err != nil {
					c.failed <- err
					return
				}
				select {
				case c.answered <- struct{}{}:
				default:
				}
			}
		})
	}
	return c
}

// goesOn returns when somebody was answered, or has failed.
func (c *clients) goesOn() {
	select {
	case <-c.answered:
	case err := <-c.failed:
		c.failed <- err
	}
}

func (c *clients) stop() error {
	c.cancel()
	c.done.Wait()
	select {
	case err := <-c.failed:
		return err
	default:
		return nil
	}
}
