package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's inet_diag answers for one state alone. /proc/net/tcp prints every socket: with 2,000
// connections in TIME_WAIT that took 10 ms on two cores, and a restart waits for it. inet_diag
// knows only the network namespace of the caller.

const (
	// getSock is TCPDIAG_GETSOCK of linux/inet_diag.h, the older question, which alone asks for
	// IPv4 and IPv6 at once: the table of connections has 262,144 rows on a machine of 24 GB, and
	// walking it takes 0.3 ms at best.
	getSock     = 18
	requestSize = unix.NLMSG_HDRLEN + 60 // struct inet_diag_req
	messageSize = 72                     // struct inet_diag_msg
)

// errDiag says that an answer of the kernel is not as it should be.
var errDiag = errors.New("the kernel's answer about sockets is not understood")

// diagnose yields the TCP sockets in state want of our own network namespace.
func diagnose(want state, yield func(row)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return fmt.Errorf("ask the kernel for sockets: %w", err)
	}
	defer unix.Close(fd)
	// A sandbox may take the question and never answer.
	limit := unix.NsecToTimeval(time.Second.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("ask the kernel for sockets: %w", err)
	}
	if err := dump(fd, want, yield); err != nil {
		return fmt.Errorf("ask the kernel for sockets: %w", err)
	}
	return nil
}

// dump asks and reads the answer to its end.
func dump(fd int, want state, yield func(row)) error {
	request := make([]byte, requestSize)
	e := binary.NativeEndian
	e.PutUint32(request[0:], requestSize)
	e.PutUint16(request[4:], getSock)
	e.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	e.PutUint32(request[unix.NLMSG_HDRLEN+52:], 1<<want) // idiag_states
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if done, err := parseDiag(buf[:n], want, yield); done || err != nil {
			return err
		}
	}
}

// parseDiag reads the messages of one datagram; done says that the last one of the answer was among
// them.
func parseDiag(b []byte, want state, yield func(row)) (done bool, err error) {
	e := binary.NativeEndian
	for len(b) > 0 {
		if len(b) < unix.NLMSG_HDRLEN {
			return false, errDiag
		}
		size, kind := int(e.Uint32(b)), e.Uint16(b[4:])
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, errDiag
		}
		body := b[unix.NLMSG_HDRLEN:size]
		b = b[min((size+3)&^3, len(b)):]
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errDiag
			}
			return true, syscall.Errno(-int32(e.Uint32(body)))
		case getSock:
			if r, ok := parseMessage(body, want); ok {
				yield(r)
			}
		}
	}
	return false, nil
}

// parseMessage reads a struct inet_diag_msg: ports and addresses are in network order, the rest in
// the machine's.
func parseMessage(m []byte, want state) (row, bool) {
	if len(m) < messageSize || state(m[1]) != want {
		return row{}, false
	}
	size := 4
	if m[0] == unix.AF_INET6 {
		size = 16
	}
	local, _ := netip.AddrFromSlice(m[8 : 8+size])
	remote, _ := netip.AddrFromSlice(m[24 : 24+size])
	return row{
		local:  netip.AddrPortFrom(local.Unmap(), binary.BigEndian.Uint16(m[4:])),
		remote: netip.AddrPortFrom(remote.Unmap(), binary.BigEndian.Uint16(m[6:])),
		state:  want,
		inode:  uint64(binary.NativeEndian.Uint32(m[68:])),
	}, true
}
