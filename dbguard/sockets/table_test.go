package sockets

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// Rows as a Linux kernel printed them on a little-endian machine.
const procTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 25423 1 0000000000000000 100 0 0 10 0
   1: 0100007F:C350 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 25999 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:C351 0100007F:1538 06 00000000:00000000 03:00000D5A 00000000     0        0 0 3 0000000000000000
   3: garbage
   4: 0100007F:C35Z 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 26000 1
`

const procTCP6 = `   0: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1538 01 00000000:00000000 00:00000000 00000000  0  0 26001 1
   1: 00000000000000000000000001000000:C353 00000000000000000000000001000000:1538 01 00000000:00000000 00:00000000 00000000  0  0 26002 1
`

func TestParseTable(t *testing.T) {
	var got []row
	parseTable([]byte(procTCP+procTCP6), established, func(r row) { got = append(got, r) })
	addr := netip.MustParseAddrPort
	want := []row{
		{addr("127.0.0.1:50000"), addr("127.0.0.1:5432"), established, 25999},
		{addr("127.0.0.1:50002"), addr("127.0.0.1:5432"), established, 26001},
		{addr("[::1]:50003"), addr("[::1]:5432"), established, 26002},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("established rows:\n got %v\nwant %v", got, want)
	}
	got = nil
	parseTable([]byte(procTCP), listen, func(r row) { got = append(got, r) })
	if len(got) != 1 || got[0].local != addr("127.0.0.1:5432") || got[0].inode != 25423 {
		t.Errorf("listening rows: %v", got)
	}
}

func TestLsof(t *testing.T) {
	out := "p812\nf8\nn127.0.0.1:50000->127.0.0.1:5432\nTST=ESTABLISHED\nf9\nTST=ESTABLISHED\n" +
		"n[::1]:50001->[::1]:5432\nf10\nn*:8080\nTST=LISTEN\nf11\nn[::1]:8081\nTST=LISTEN\np900\nf3\nn127.0.0.1:1\nTST=CLOSED\n"
	addr := netip.MustParseAddrPort
	want := []Conn{{addr("127.0.0.1:50000"), addr("127.0.0.1:5432")}, {addr("[::1]:50001"), addr("[::1]:5432")}}
	if got := lsofConns(out); !reflect.DeepEqual(got, want) {
		t.Errorf("connections: %v", got)
	}
	if got := lsofPorts(out); !reflect.DeepEqual(got, []netip.AddrPort{addr("0.0.0.0:8080"), addr("[::1]:8081")}) {
		t.Errorf("ports: %v", got)
	}
}

func TestLsofOwner(t *testing.T) {
	out := "p812\ncpostgres\nf8\nn127.0.0.1:5432\nf9\nn[::1]:8080\np900\ncvite\nf3\nn*:3000\n"
	for at, want := range map[string]string{
		"127.0.0.1:5432": "812 postgres", "[::1]:8080": "812 postgres", "0.0.0.0:5432": "812 postgres", "[::]:8080": "812 postgres",
		"127.0.0.1:8080": "0 ", "127.0.0.1:3000": "900 vite", "[::1]:3000": "900 vite", "127.0.0.1:1": "0 ",
	} {
		pid, name, ok := lsofOwner(out, netip.MustParseAddrPort(at))
		if got := fmt.Sprint(pid, " ", name); got != want || ok != (pid > 0) {
			t.Errorf("%s: %q, %v, want %q", at, got, ok, want)
		}
	}
}

func TestNetstat(t *testing.T) {
	out := `Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.50000        127.0.0.1.5432         ESTABLISHED
tcp6       0      0  ::1.50001              ::1.5432               ESTABLISHED
tcp4       0      0  *.5432                 *.*                    LISTEN
tcp4       0      0  127.0.0.1.50002        127.0.0.1.5432         TIME_WAIT
`
	addr := netip.MustParseAddrPort
	want := []Conn{{addr("127.0.0.1:50000"), addr("127.0.0.1:5432")}, {addr("[::1]:50001"), addr("[::1]:5432")}}
	if got := netstatConns(out); !reflect.DeepEqual(got, want) {
		t.Errorf("connections: %v", got)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(procTCP))
	f.Add([]byte(procTCP6))
	f.Add([]byte("0: FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:FFFF :0 0A a b c d e 18446744073709551616\n"))
	f.Fuzz(func(t *testing.T, table []byte) {
		for _, want := range []state{established, listen} {
			parseTable(table, want, func(r row) {
				if !r.local.IsValid() || !r.remote.IsValid() || r.state != want {
					t.Fatalf("a row that is none: %+v", r)
				}
				if r.local.Addr().Is4In6() || r.remote.Addr().Is4In6() {
					t.Fatalf("IPv4 in IPv6 form: %+v", r)
				}
			})
		}
	})
}

func FuzzCommands(f *testing.F) {
	f.Add("p1\nf2\nn127.0.0.1:1->127.0.0.1:2\nTST=ESTABLISHED\n")
	f.Add("tcp6 0 0 ::1.50001 ::1.5432 ESTABLISHED\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, c := range append(lsofConns(out), netstatConns(out)...) {
			if !c.Local.IsValid() || !c.Remote.IsValid() {
				t.Fatalf("a connection that is none: %+v from %q", c, out)
			}
		}
		for _, a := range lsofPorts(out) {
			if !a.IsValid() || strings.Contains(a.String(), "%") {
				t.Fatalf("an address that is none: %v", a)
			}
		}
	})
}
