package run

import (
	"fmt"
	"net"
	"os"
)

// FreePorts returns n loopback ports that nobody has now, none below from, all less than below: that is to
// be where the kernel gives out none by itself. The process id says where it begins to look, at most 5000
// ports on, so that two benchmarks at a time hardly find the same ones.
func FreePorts(n, from, below int) (ports []int, err error) {
	for port := from + os.Getpid()%5000; len(ports) < n && port < below; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("no %d free ports", n)
	}
	return ports, nil
}

// FreePort returns a loopback port that nobody listens on just now.
func FreePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
