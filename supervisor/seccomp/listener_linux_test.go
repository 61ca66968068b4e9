//go:build linux && (amd64 || arm64)

package seccomp

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/testneed"
)

// filtered runs f on a thread that has the filter, and that ends with it. Its calls are
// received here.
func filtered(t testing.TB, f func()) (l *Listener, done <-chan struct{}) {
	t.Helper()
	type installed struct {
		fd  int
		err error
	}
	got, ended := make(chan installed), make(chan struct{})
	go testneed.OwnThread(func() {
		defer close(ended)
		fd, _, err := Install(func() error { return nil })
		got <- installed{fd, err}
		if err == nil {
			f()
		}
	})
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	l, err := NewListener(os.NewFile(uintptr(r.fd), "notifications"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, ended
}

func socket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

var loopback = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}

// port is where a socket is bound; 0 when it is not.
func port(t testing.TB, fd int) int {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return sa.(*unix.SockaddrInet4).Port
}

func receive(t testing.TB, l *Listener, want Call, fd int) Notification {
	t.Helper()
	n, err := l.Receive()
	if err != nil || n.Call != want || n.FD != fd || n.Thread == 0 {
		t.Fatalf("received %+v, %v, want call %d of descriptor %d", n, err, want, fd)
	}
	if !l.Waiting(n) {
		t.Error("the call does not wait")
	}
	return n
}

func TestContinue(t *testing.T) {
	fd := socket(t)
	var bound, listens error
	l, done := filtered(t, func() { bound, listens = unix.Bind(fd, loopback), unix.Listen(fd, 1) })
	n := receive(t, l, Bind, fd)
	if n.Length != unix.SizeofSockaddrInet4 || n.Address == 0 {
		t.Errorf("received %+v", n)
	}
	if err := l.Continue(n); err != nil {
		t.Fatal(err)
	}
	n = receive(t, l, Listen, fd)
	if err := l.Continue(n); err != nil {
		t.Fatal(err)
	}
	<-done
	if bound != nil || listens != nil || port(t, fd) == 0 {
		t.Errorf("bind %v, listen %v, port %d", bound, listens, port(t, fd))
	}
	if l.Waiting(n) || !errors.Is(l.Continue(n), ErrGone) {
		t.Error("an answered call still waits")
	}
	if _, err := l.Receive(); err != io.EOF {
		t.Errorf("with the thread gone: %v", err)
	}
}

func TestSucceed(t *testing.T) {
	fd := socket(t)
	bound := errors.New("not called")
	l, done := filtered(t, func() { bound = unix.Bind(fd, loopback) })
	if err := l.Succeed(receive(t, l, Bind, fd)); err != nil {
		t.Fatal(err)
	}
	<-done
	if bound != nil || port(t, fd) != 0 {
		t.Errorf("bind %v, port %d", bound, port(t, fd))
	}
}

func TestReplace(t *testing.T) {
	fd, other := socket(t), socket(t)
	if err := errors.Join(unix.Bind(other, loopback), unix.Listen(other, 1)); err != nil {
		t.Fatal(err)
	}
	for _, cloexec := range []bool{false, true} {
		l, done := filtered(t, func() { unix.Bind(fd, loopback) })
		n := receive(t, l, Bind, fd)
		if err := errors.Join(l.Replace(n, other, cloexec), l.Succeed(n)); err != nil {
			t.Fatal(err)
		}
		<-done
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if port(t, fd) != port(t, other) || err != nil || flags&unix.FD_CLOEXEC != 0 != cloexec {
			t.Errorf("port %d, want %d; flags %d, %v, want close-on-exec %v", port(t, fd), port(t, other), flags, err, cloexec)
		}
	}
}

func TestCloseFailsTheCall(t *testing.T) {
	fd := socket(t)
	var bound error
	l, done := filtered(t, func() { bound = unix.Bind(fd, loopback) })
	receive(t, l, Bind, fd)
	l.Close()
	<-done
	if !errors.Is(bound, syscall.ENOSYS) {
		t.Errorf("bind: %v", bound)
	}
	if _, err := l.Receive(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseEndsReceive(t *testing.T) {
	release := make(chan struct{})
	l, done := filtered(t, func() { <-release })
	received := make(chan error)
	go func() {
		_, err := l.Receive()
		received <- err
	}()
	l.Close()
	if err := <-received; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Receive: %v", err)
	}
	close(release)
	<-done
}

func TestOneListenerForAThread(t *testing.T) {
	var again error
	_, done := filtered(t, func() { _, _, again = Install(func() error { return nil }) })
	<-done
	if again == nil || again.Error() != "the system calls of this process are watched already, by the container's runtime or by another devguard" {
		t.Errorf("a second filter: %v", again)
	}
}

// BenchmarkListen is one listen that the kernel is told to do.
func BenchmarkListen(b *testing.B) {
	fd := socket(b)
	if err := unix.Bind(fd, loopback); err != nil {
		b.Fatal(err)
	}
	l, done := filtered(b, func() {
		for b.Loop() {
			unix.Listen(fd, 1)
		}
	})
	for {
		n, err := l.Receive()
		if err != nil {
			break
		}
		l.Continue(n)
	}
	<-done
}

// TestReceiveUnderSignals: signals to us are no end of the tree, and those to the caller have
// it call again.
func TestReceiveUnderSignals(t *testing.T) {
	fd := socket(t)
	if err := unix.Bind(fd, loopback); err != nil {
		t.Fatal(err)
	}
	const calls = 2000
	var failed error
	l, done := filtered(t, func() {
		for range calls {
			failed = errors.Join(failed, unix.Listen(fd, 1))
		}
	})
	stormed := make(chan struct{})
	go func() {
		defer close(stormed)
		for {
			select {
			case <-done:
				return
			default:
				syscall.Kill(os.Getpid(), syscall.SIGURG)
			}
		}
	}()
	answered := 0
	for {
		n, err := l.Receive()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if l.Continue(n) == nil {
			answered++
		}
	}
	<-done
	<-stormed
	if failed != nil || answered < calls {
		t.Errorf("%d of %d calls answered: %v", answered, calls, failed)
	}
}
