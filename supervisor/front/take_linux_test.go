package front

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// listenAsApp listens as an app whose bind was answered with another address.
func listenAsApp(t *testing.T, at netip.AddrPort) net.Listener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	l, err := config.Listen(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestTake: the front answers where the app wanted to, for the app that listens on the same port
// elsewhere.
func TestTake(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "::", "::1"} {
		t.Run(host, func(t *testing.T) {
			f, err := Open(Options{Hold: limit})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			free := listenAs(t, net.JoinHostPort(host, "0"))
			port := free.Addr().(*net.TCPAddr).AddrPort().Port()
			free.Close()
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), port)
			instead, err := f.Take(addr)
			if err != nil {
				t.Fatal(err)
			}
			if instead.Port() != port || instead.Addr().Is4() != addr.Addr().Is4() || !instead.Addr().Unmap().IsLoopback() {
				t.Errorf("the app is to listen at %v", instead)
			}
			if again, err := f.Take(addr); again != instead || err != nil {
				t.Errorf("and then at %v, %v", again, err)
			}
			app := listenAsApp(t, instead)
			go func() {
				_ = http.Serve(app, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the app, for ", r.Host) }))
			}()
			if _, err := net.Listen("tcp", addr.String()); err == nil {
				t.Error("another may listen there, too")
			}
			f.Started(1)
			f.Ready(1)
			for _, client := range clientsOf(host) {
				url := "http://" + net.JoinHostPort(client, fmt.Sprint(port))
				if got := ask(t, url); got != "the app, for "+strings.TrimPrefix(url, "http://") {
					t.Errorf("by way of %s: %q", client, got)
				}
			}
			f.Keep(nil)
			if c, err := net.Dial("tcp", net.JoinHostPort(clientsOf(host)[0], fmt.Sprint(port))); err == nil {
				c.Close()
				t.Error("it is not let go")
			}
		})
	}
}

// clientsOf are the addresses by which clients reach one that is listened on.
func clientsOf(host string) []string {
	switch host {
	case "0.0.0.0":
		return []string{"127.0.0.1", "127.0.0.2"}
	case "::":
		return []string{"127.0.0.1", "::1"}
	}
	return []string{host}
}

// TestTakeRefused: where another listens the app is to find that out.
func TestTakeRefused(t *testing.T) {
	f, err := Open(Options{Hold: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	other := listenAs(t, "127.0.0.1:0").Addr().(*net.TCPAddr).AddrPort()
	if _, err := f.Take(other); err == nil {
		t.Error("taken over from another process")
	}
	if _, err := new(Process).Take(netip.MustParseAddrPort("[::1]:1"), true); err == nil {
		t.Error("a socket of IPv6 alone gets an address of IPv4")
	}
}

// TestTakeOfOneAlone: an address is one front's; of two servers of an app on one port each has its
// clients, also when one has tried all addresses before (is the port free?) and has left them.
func TestTakeOfOneAlone(t *testing.T) {
	f, other := fronts(t), fronts(t)
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), freePort(t))
	one := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), all.Port())
	two := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), all.Port())
	f.Started(1)
	f.Ready(1)
	homes := map[netip.AddrPort]bool{}
	for _, addr := range []netip.AddrPort{all, one, two} {
		instead, err := f.Take(addr)
		if err != nil || homes[instead] {
			t.Fatalf("at %v the app is to listen at %v, %v", addr, instead, err)
		}
		homes[instead] = true
		app := listenAsApp(t, instead)
		go func() {
			_ = http.Serve(app, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "for ", addr) }))
		}()
		if at := f.entrances.homes.behindHost(addr.String()); at != instead.String() || f.entrances.homes.before(instead) != addr {
			t.Errorf("behind %v is %v, before %v is %v", addr, at, instead, f.entrances.homes.before(instead))
		}
		if instead, err := other.Take(addr); err == nil {
			t.Errorf("a second front answers at %v, for %v", addr, instead)
		}
	}
	f.Keep([]netip.AddrPort{one, two})
	for _, addr := range []netip.AddrPort{one, two} {
		if got := ask(t, "http://"+addr.String()); got != "for "+addr.String() {
			t.Errorf("at %v: %q", addr, got)
		}
	}
	for in, want := range map[string]string{
		fmt.Sprintf("localhost:%d", one.Port()): f.entrances.homes.behindHost(one.String()),
		fmt.Sprintf(":%d", one.Port()):          f.entrances.homes.behindHost(one.String()),
		fmt.Sprintf("192.0.2.1:%d", one.Port()): fmt.Sprintf("192.0.2.1:%d", one.Port()),
		"127.0.0.1:1":                           "127.0.0.1:1",
		"nonsense":                              "nonsense",
	} {
		if got := f.entrances.homes.behindHost(in); got != want {
			t.Errorf("behind %q is %q, want %q", in, got, want)
		}
	}
}

func fronts(t *testing.T) *Front {
	t.Helper()
	f, err := Open(Options{Hold: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	l := listenAs(t, "127.0.0.1:0")
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}
