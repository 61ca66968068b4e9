package embedded

import (
	"crypto/sha256"
	"encoding/binary"
	"net"
	"strconv"
)

// candidates are the ports to try: that of last time, then ten that follow from the server's
// folder. They lie below the range from which Linux and macOS take the ports of outgoing
// connections, so that a port stays free between runs.
func candidates(home string, last *Server) []int {
	var ports []int
	if last != nil && last.port > 0 {
		ports = append(ports, last.port)
	}
	sum := sha256.Sum256([]byte(home))
	first := 20000 + int(binary.BigEndian.Uint16(sum[:])%10000)
	for i := range 10 {
		ports = append(ports, first+i)
	}
	return ports
}

// portFree tries the port as the server will.
func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
