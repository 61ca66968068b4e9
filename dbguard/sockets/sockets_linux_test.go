package sockets

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// listenOn opens a listener and one connection to it, both of this process.
func listenOn(t *testing.T, address string) (net.Listener, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		testneed.Skip(t, "ipv6", err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return l, c
}

func addrPort(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }

func TestConnectionsOfThisProcess(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			l, c := listenOn(t, address)
			want := Conn{addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())}
			conns, err := Connections([]int{os.Getpid(), os.Getpid()})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(conns, want) {
				t.Errorf("%v is not among %v", want, conns)
			}
			all, err := Established()
			if err != nil || !slices.Contains(all, want) {
				t.Errorf("%v is not among the machine's (%v)", want, err)
			}
			if ports := Listening([]int{os.Getpid()}); !slices.Contains(ports, addrPort(l.Addr())) {
				t.Errorf("%v is not among %v", l.Addr(), ports)
			}
		})
	}
}

// A process without sockets, and one that has ended, have none.
func TestNothingOfOthers(t *testing.T) {
	listenOn(t, "127.0.0.1:0")
	quiet := exec.Command("cat")
	in, err := quiet.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := quiet.Start(); err != nil {
		t.Fatal(err)
	}
	pid := quiet.Process.Pid
	if conns, err := Connections([]int{pid}); err != nil || len(conns) != 0 {
		t.Errorf("running: %v, %v", conns, err)
	}
	in.Close()
	if err := quiet.Wait(); err != nil {
		t.Fatal(err)
	}
	if conns, err := Connections([]int{pid}); err != nil || len(conns) != 0 {
		t.Errorf("ended: %v, %v", conns, err)
	}
}

func TestOwner(t *testing.T) {
	l, _ := listenOn(t, "127.0.0.1:0")
	at := addrPort(l.Addr())
	anywhere, other := netip.AddrPortFrom(netip.Addr{}, at.Port()), netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	for _, at := range []netip.AddrPort{at, anywhere} {
		pid, name, ok := Owner(at)
		if !ok || pid != os.Getpid() || name == "" {
			t.Errorf("Owner(%v) = %d, %q, %v; this process is %d", at, pid, name, ok, os.Getpid())
		}
	}
	if pid, name, ok := Owner(other); ok && pid == os.Getpid() {
		t.Errorf("nobody listens on %v, and yet: %d (%s)", other, pid, name)
	}
	l.Close()
	if pid, name, ok := Owner(anywhere); ok {
		t.Errorf("nobody listens on %v, and yet: %d (%s)", anywhere, pid, name)
	}
}

func BenchmarkConnections(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	pids := []int{os.Getpid()}
	for b.Loop() {
		if _, err := Connections(pids); err != nil {
			b.Fatal(err)
		}
	}
}
