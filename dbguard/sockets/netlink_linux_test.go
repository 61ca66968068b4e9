package sockets

import (
	"net"
	"os"
	"reflect"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// Both sources must tell the same of sockets that stay as they are.
func TestNetlinkTellsWhatProcfsTells(t *testing.T) {
	l, c := listenOn(t, "127.0.0.1:0")
	l6, c6 := listenOn(t, "[::1]:0")
	held := map[uint64]bool{}
	if err := inodes(os.Getpid(), held); err != nil {
		t.Fatal(err)
	}
	for _, want := range []state{established, listen} {
		var a, b []Conn
		keep := func(list *[]Conn) func(row) {
			return func(r row) {
				if held[r.inode] {
					*list = append(*list, Conn{r.local, r.remote})
				}
			}
		}
		if err := diagnose(want, keep(&a)); err != nil {
			testneed.Skip(t, "diag", err)
		}
		if err := procfs("/proc/self/net/", want, keep(&b)); err != nil {
			t.Fatal(err)
		}
		if a, b = sortedConns(a), sortedConns(b); len(a) < 2 || !reflect.DeepEqual(a, b) {
			t.Errorf("state %d:\nnetlink %v\nprocfs  %v", want, a, b)
		}
	}
	for _, open := range []interface{ Close() error }{l, c, l6, c6} {
		_ = open.Close()
	}
}

func FuzzParseDiag(f *testing.F) {
	message := make([]byte, 16+messageSize)
	message[0], message[4], message[16], message[17] = byte(len(message)), getSock, 2, byte(established)
	f.Add(message)
	f.Add([]byte{16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseDiag(b, established, func(r row) {
			if !r.local.IsValid() || !r.remote.IsValid() || r.local.Addr().Is4In6() {
				t.Fatalf("a row that is none: %+v", r)
			}
		})
	})
}

func BenchmarkListening(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	pids := []int{os.Getpid()}
	for b.Loop() {
		if len(Listening(pids)) == 0 {
			b.Fatal("nothing found")
		}
	}
}
