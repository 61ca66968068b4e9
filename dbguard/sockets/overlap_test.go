package sockets

import (
	"net/netip"
	"testing"
)

func TestOverlap(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
		{"127.0.0.1:80", "172.17.0.1:80", false},
		{"127.0.0.1:80", "[::1]:80", false},
		{"0.0.0.0:80", "172.17.0.1:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{"[::]:80", "0.0.0.0:80", true},
		{"[::]:80", "0.0.0.0:81", false},
	} {
		a, b := netip.MustParseAddrPort(row.a), netip.MustParseAddrPort(row.b)
		if overlap(a, b) != row.want || overlap(b, a) != row.want {
			t.Errorf("%s and %s: want %v", row.a, row.b, row.want)
		}
		if anywhere := netip.AddrPortFrom(netip.Addr{}, a.Port()); overlap(anywhere, b) != (a.Port() == b.Port()) {
			t.Errorf("any address at port %d and %s", a.Port(), row.b)
		}
	}
}
