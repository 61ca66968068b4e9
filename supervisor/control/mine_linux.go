package control

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// mine reports whether the open connection from remote to our port is one of our own user.
func mine(remote string, port uint16) bool {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	owners, err := ownersOf(from.Port(), port)
	return err != nil || ownedBy(os.Geteuid(), owners) // where the kernel does not tell, anybody's may be
}

// ownedBy reports whether the owners of a connection are uid, or root, who can read whatever we could
// hide. To root each is its own: its browser runs as somebody else, and an address is put in no
// command line then (see the package browse).
func ownedBy(uid int, owners []string) bool {
	other := func(owner string) bool { return owner != "0" && owner != fmt.Sprint(uid) }
	return uid == 0 || len(owners) > 0 && !slices.ContainsFunc(owners, other)
}

// ownersOf are the users who have an established connection between two ports, by /proc/net/tcp and
// tcp6, where an IPv4 connection of an IPv6 socket stands.
func ownersOf(local, remote uint16) (uids []string, err error) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if os.IsNotExist(err) && strings.HasSuffix(name, "6") {
			continue // without IPv6
		}
		if err != nil {
			return nil, err
		}
		uids = append(uids, owners(bufio.NewScanner(f), local, remote)...)
		f.Close()
	}
	return uids, nil
}

// owners reads one of the tables. A line has, from its second word: the local and the remote address
// in hex, the state (01: established), three words, the user.
func owners(lines *bufio.Scanner, local, remote uint16) (uids []string) {
	from, to := fmt.Sprintf(":%04X", local), fmt.Sprintf(":%04X", remote)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		if len(word) > 7 && word[3] == "01" && strings.HasSuffix(word[1], from) && strings.HasSuffix(word[2], to) {
			uids = append(uids, word[7])
		}
	}
	return uids
}
