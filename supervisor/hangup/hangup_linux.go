package hangup

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Run ends connections until ctx is done, and returns how many. It begins with the stop signal.
func Run(ctx context.Context, app App) (ended int) {
	if len(app.At) == 0 {
		return 0
	}
	w := watch{App: app, looks: map[uint64]Looks{}}
	began := time.Now()
	timer := time.NewTimer(max(app.After, asked))
	defer timer.Stop()
	w.look(ctx, 0)
	for {
		select {
		case <-timer.C:
			w.look(ctx, time.Since(began))
			timer.Reset(again)
		case <-ctx.Done():
			return w.ended
		}
	}
}

// watch is one Run.
type watch struct {
	App
	looks map[uint64]Looks // of each connection, by inode
	ended int
}

// look ends what may be ended now, once whoever has a descriptor of it. The first look, at which nothing is
// known, is there to see what goes on; the others come from After on.
func (w *watch) look(ctx context.Context, since time.Duration) {
	opened := w.opened()
	w.eachClient(func(fd int, inode uint64) bool {
		t, ok := trafficOf(fd)
		if !ok || opened[peerOf(fd)] {
			return true
		}
		// One that was not known before this look may be of a process that had not opened it yet when
		// opened came by.
		before, known := w.looks[inode]
		w.looks[inode] = before.with(t, since)
		if known && t.Ends(before, since) && unix.Shutdown(fd, unix.SHUT_RDWR) == nil {
			w.ended++
		}
		return ctx.Err() == nil
	})
}

// opened returns the local addresses of all TCP sockets of the app. A connection that comes from one of
// them is its own: to a database or a message broker that it has started, or has within itself.
func (a App) opened() map[netip.AddrPort]bool {
	out := map[netip.AddrPort]bool{}
	a.eachTCP(func(_ int, _ uint64, local netip.AddrPort) bool {
		out[local] = true
		return true
	})
	return out
}

// eachClient yields a copy of each connection of a client, until that returns false, and of each socket
// that listens for them.
func (a App) eachClient(yield func(fd int, inode uint64) bool) {
	a.eachTCP(func(fd int, inode uint64, local netip.AddrPort) bool {
		return !a.has(local) || yield(fd, inode)
	})
}

// eachTCP yields a copy of each TCP socket of the tree, until that returns false. The copy lives for some
// microseconds: as long as there is one, the app's close does not end the connection.
func (a App) eachTCP(yield func(fd int, inode uint64, local netip.AddrPort) bool) {
	seen, more := map[uint64]bool{}, true
	for _, pid := range a.Pids() {
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // gone
		}
		_ = osproc.EachDescriptor(pid, func(name, target string) {
			inode, ok := osproc.SocketInode(target)
			if fd, err := strconv.Atoi(name); err == nil && ok && more && !seen[inode] {
				seen[inode] = true
				more = withCopy(process, fd, func(own int, local netip.AddrPort) bool { return yield(own, inode, local) })
			}
		})
		unix.Close(process)
	}
}

// withCopy calls f with a copy of a descriptor when that is one of TCP, and the address of the socket.
func withCopy(process, fd int, f func(own int, local netip.AddrPort) bool) bool {
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return true // closed since, or forbidden: then the app has its grace
	}
	defer unix.Close(own)
	if !osproc.IsTCP(own) {
		return true
	}
	local, ok := addrPort(unix.Getsockname(own))
	return !ok || f(own, local)
}

// Settle waits, not for long, until the app has accepted everybody who has connected to it, and has
// read everybody's first request: net/http and node close connections of which they have not when they
// are asked to stop.
func Settle(app App) {
	began := time.Now()
	var read time.Time // since when every first request was
	for end := began.Add(settle); time.Now().Before(end); time.Sleep(settleAgain) {
		switch app.newest() {
		case heard:
			return
		case reading:
			if read.IsZero() {
				read = time.Now()
			}
			if time.Since(read) >= taken {
				return
			}
		case pending:
			read = time.Time{}
		}
	}
}

// newest is how far the app is with whom it has heard least of.
func (a App) newest() (n hearing) {
	a.eachClient(func(fd int, _ uint64) bool {
		n = max(n, hearingOf(fd))
		return n != pending
	})
	return n
}

func hearingOf(fd int) hearing {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	switch {
	case err != nil:
		return heard
	case info.State == listens && info.Unacked > 0: // of one that listens: connections in its queue
		return pending
	case info.State != established:
		return heard
	}
	unread, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		return heard
	}
	return trafficIn(info).hearing(uint64(unread))
}

// peerOf is the address of the other end; the zero one when there is none.
func peerOf(fd int) netip.AddrPort {
	peer, _ := addrPort(unix.Getpeername(fd))
	return peer
}

func addrPort(sa unix.Sockaddr, err error) (netip.AddrPort, bool) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), err == nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), err == nil
	}
	return netip.AddrPort{}, false
}

// Of the kernel's tcp_states.h.
const (
	established = 1
	listens     = 10
)

// trafficOf reads the counters of an established connection; not ok for any other socket.
func trafficOf(fd int) (Traffic, bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != established {
		return Traffic{}, false
	}
	return trafficIn(info), true
}

func trafficIn(info *unix.TCPInfo) Traffic {
	return Traffic{
		Received: info.Bytes_received, Acked: info.Bytes_acked, Sent: info.Bytes_sent, In: info.Data_segs_in, Out: info.Data_segs_out, Unsent: info.Notsent_bytes,
		LastReceived: time.Duration(info.Last_data_recv) * time.Millisecond,
		LastSent:     time.Duration(info.Last_data_sent) * time.Millisecond,
	}
}
