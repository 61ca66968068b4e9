//go:build amd64 || arm64

package listeners

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/seccomp"
	"github.com/devguard/devguard/supervisor/testneed"
)

// inApp runs f on a thread whose bind and listen a Holder answers, and that ends with it.
func inApp(t *testing.T, h *Holder, gen int, f func()) {
	t.Helper()
	type installed struct {
		fd  int
		err error
	}
	got, started, ended := make(chan installed), make(chan struct{}), make(chan struct{})
	go testneed.OwnThread(func() {
		defer close(ended)
		fd, _, err := seccomp.Install(func() error { return nil })
		got <- installed{fd, err}
		if <-started; err == nil {
			f()
		}
	})
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	h.Started(gen, os.NewFile(uintptr(r.fd), "notifications"), nil, func() []int { return []int{os.Getpid()} })
	close(started)
	<-ended
}

// deputy gives the app addresses of 127.77.200, and notes what it was asked.
type deputy struct {
	asked map[netip.AddrPort]bool // with v6only
	kept  []netip.AddrPort        // of the last Keep
}

var refused = netip.MustParseAddrPort("127.0.0.1:1")

func (d *deputy) Take(addr netip.AddrPort, v6only bool) (netip.AddrPort, error) {
	d.asked[addr] = v6only
	if addr == refused {
		return netip.AddrPort{}, errors.New("somebody has it")
	}
	home := netip.MustParseAddr("127.77.200.201")
	if addr.Addr().Is6() {
		home = netip.AddrFrom16(home.As16())
	}
	return netip.AddrPortFrom(home, addr.Port()), nil
}

func (d *deputy) Keep(addrs []netip.AddrPort) { d.kept = addrs }

// TestStandIn: the app's own socket is bound to the address that was given instead, once for a port;
// what is refused the kernel answers. What nobody has any more is given back.
func TestStandIn(t *testing.T) {
	h := New(func(l logline.Line) { t.Logf("%+v", l) })
	defer h.Close()
	d := &deputy{asked: map[netip.AddrPort]bool{}}
	h.StandIn(d)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()

	v4, v6, second, other := socket(t, unix.AF_INET), socket(t, unix.AF_INET6), socket(t, unix.AF_INET), socket(t, unix.AF_INET)
	var errs []error
	inApp(t, h, 1, func() {
		errs = append(errs,
			unix.Bind(v4, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(v4, 5),
			unix.Bind(v6, &unix.SockaddrInet6{Port: port}), unix.Listen(v6, 5),
			unix.Bind(other, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(other, 5),
			unix.Bind(second, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
		)
	})
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	// Nobody listens in the place of the app in this test, so that the kernel lets the second one
	// have it.
	for fd, want := range map[int]string{v4: "127.77.200.201", v6: "::ffff:127.77.200.201", other: "127.0.0.1", second: "127.0.0.1"} {
		if place, err := boundTo(fd); err != nil || place.Addr.Addr().String() != want {
			t.Errorf("bound to %v, want %s; %v", place, want, err)
		}
	}
	unix.Close(v6)
	h.ask(h.settled, func() {})
	if len(d.asked) != 2 {
		t.Errorf("asked about %v", d.asked)
	}
	if want := []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))}; !slices.Equal(d.kept, want) {
		t.Errorf("of 127.0.0.1 and ::, which was closed, %v are kept", d.kept)
	}
	h.Unfiltered()
	if len(d.kept) > 0 {
		t.Errorf("for a generation without the filter %v are kept", d.kept)
	}
	if len(h.Status().Sockets) > 0 {
		t.Errorf("held: %+v", h.Status())
	}
}

// TestStandInNotReady: a generation that is not ready in time keeps no addresses but its own, either.
func TestStandInNotReady(t *testing.T) {
	h := New(func(l logline.Line) { t.Logf("%+v", l) })
	defer h.Close()
	h.StandIn(&deputy{asked: map[netip.AddrPort]bool{}})
	inApp(t, h, 1, func() {})
	h.NotReady(1)
	var settle time.Time
	h.ask(func() { settle = h.standIn.settle }, func() {})
	if settle.IsZero() {
		t.Error("what it has not bound is never given back")
	}
}

func socket(t *testing.T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
