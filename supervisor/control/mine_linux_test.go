package control

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestOwners: an open connection has the user who made it, and no other line counts.
func TestOwners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 20 4 0 10 -1
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 0 10 -1
   3: 0100007F:C351 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
`
	for _, c := range []struct {
		from, to uint16
		want     string
	}{{50000, 8080, "[1001]"}, {50001, 8080, "[]"}, {50000, 8081, "[]"}, {8080, 50000, "[1000]"}} {
		if got := fmt.Sprint(owners(bufio.NewScanner(strings.NewReader(table)), c.from, c.to)); got != c.want {
			t.Errorf("%d to %d: %s", c.from, c.to, got)
		}
	}
}

// TestOwnedBy: a connection of another user is not ours, nor is one that nobody has.
func TestOwnedBy(t *testing.T) {
	for _, c := range []struct {
		uid    int
		owners []string
		want   bool
	}{
		{1000, []string{"1000"}, true}, {1000, []string{"0"}, true}, {1000, []string{"1001"}, false},
		{1000, []string{"1000", "1001"}, false}, {1000, nil, false}, {0, []string{"1001"}, true},
	} {
		if got := ownedBy(c.uid, c.owners); got != c.want {
			t.Errorf("%d of %v: %v", c.uid, c.owners, got)
		}
	}
}

// TestMine: a connection of this process is ours, also from a socket of IPv6; of one that is not there
// nobody is the owner.
func TestMine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	from := conn.LocalAddr().(*net.TCPAddr)
	if got, err := ownersOf(uint16(from.Port), port); err != nil || !slices.Equal(got, []string{fmt.Sprint(os.Geteuid())}) {
		t.Errorf("%v %v", got, err)
	}
	if !mine(from.String(), port) || mine("nonsense", port) {
		t.Error("whose is it?")
	}
	if got, err := ownersOf(port, 1); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}
