package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sockets returns both ends of a connection, the first one quick.
func sockets(t *testing.T, network string) (q net.Conn, peer socket) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	if q = quick(near); q == near {
		t.Fatalf("%T is not quick", near)
	}
	return q, far.(socket)
}

func TestQuick(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, test := range map[string]func(t *testing.T, q net.Conn, peer socket){
			"carries":   testQuickCarries,
			"deadlines": testQuickDeadlines,
			"close":     testQuickClose,
			"reset":     testQuickReset,
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				q, peer := sockets(t, network)
				test(t, q, peer)
			})
		}
	}
}

// testQuickCarries: 8 MB there and back, far more than the kernel's buffers take at once, then the
// end.
func testQuickCarries(t *testing.T, q net.Conn, peer socket) {
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 8<<16)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := io.Copy(peer, io.LimitReader(peer, int64(len(sent))))
		if err := errors.Join(err, peer.CloseWrite()); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if n, err := q.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
	got, err := io.ReadAll(q)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d came back, error %v", len(got), len(sent), err)
	}
	wg.Wait()
	if n, err := q.Write(nil); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
}

func testQuickDeadlines(t *testing.T, q net.Conn, peer socket) {
	_ = q.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := q.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
	all := make([]byte, 16<<20)
	_ = q.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	n, err := q.Write(all) // nobody reads
	if n == len(all) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d of %d: %v", n, len(all), err)
	}
	go io.Copy(io.Discard, peer) // until the test closes it
	_ = q.SetDeadline(time.Time{})
	if n, err := q.Write(all); n != len(all) || err != nil {
		t.Errorf("after the deadline: wrote %d: %v", n, err)
	}
}

// testQuickClose: a Read under way ends with Close, as one of package net does.
func testQuickClose(t *testing.T, q net.Conn, _ socket) {
	ended := make(chan error)
	go func() {
		_, err := q.Read(make([]byte, 1))
		ended <- err
	}()
	q.Close()
	var op *net.OpError
	if err := <-ended; !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "read" {
		t.Error(err)
	}
	if _, err := q.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// testQuickReset: the kernel's errors are those of package net.
func testQuickReset(t *testing.T, q net.Conn, peer socket) {
	_, _ = q.Write([]byte("unread: so that a close is a reset"))
	peer.Close()
	var system *os.SyscallError
	if _, err := q.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &system) || system.Syscall != "read" {
		t.Error(err)
	}
	if n, err := q.Write([]byte{1}); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%d, %v", n, err)
	}
}

func TestWhatIsNoSocketStays(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if quick(a) != a {
		t.Error("a pipe became something else")
	}
}
