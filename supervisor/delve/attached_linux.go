package delve

import (
	"bytes"
	"net"
	"os"
	"strconv"
)

// attached reports whether a debugger is connected, or is about to be. Our own connections are closed
// by then.
func (s Server) attached() attachment {
	_, text, _ := net.SplitHostPort(s.Address)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return unknown
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil && !os.IsNotExist(err) { // without IPv6 there is one table
			return unknown
		}
		if connected(b, uint16(port)) {
			return attached
		}
	}
	return alone
}

// connected reports whether a table of proc_net_tcp(5), "sl local_address rem_address st ...", has an
// established connection at a local port.
func connected(table []byte, port uint16) bool {
	const established = "01"
	for line := range bytes.Lines(table) {
		f := bytes.Fields(line)
		if len(f) < 4 || string(f[3]) != established {
			continue
		}
		_, local, _ := bytes.Cut(f[1], []byte(":"))
		if n, err := strconv.ParseUint(string(local), 16, 16); err == nil && uint16(n) == port {
			return true
		}
	}
	return false
}
