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
	w := watch{App: app, first: map[uint64]Traffic{}}
	began := time.Now()
	timer := time.NewTimer(min(again, app.After))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			w.look(ctx, time.Since(began))
			timer.Reset(outOfStep(time.Since(began), app.After))
		case <-ctx.Done():
			return w.ended
		}
	}
}

// outOfStep is the time to the next look. From After on it is no even number: a client that talks every
// 50 ms would else be in the middle of it each time.
func outOfStep(since, after time.Duration) time.Duration {
	if since < after {
		return again
	}
	return again - 3*time.Millisecond
}

// watch is one Run.
type watch struct {
	App
	first map[uint64]Traffic // of each connection when it was looked at first, by inode
	ended int
}

// look ends what may be ended now, once whoever has a descriptor of it. The first looks, before After, are
// there to see what goes on.
func (w *watch) look(ctx context.Context, since time.Duration) {
	w.eachClient(func(fd int, inode uint64) bool {
		t, ok := trafficOf(fd)
		if !ok {
			return true
		}
		first, known := w.first[inode]
		if !known {
			first, w.first[inode] = t, t
		}
		if since >= w.After && t.Ends(first, since) && unix.Shutdown(fd, unix.SHUT_RDWR) == nil {
			w.ended++
		}
		return ctx.Err() == nil
	})
}

// eachClient yields a copy of each connection of a client, until that returns false. The copy lives for
// some microseconds: as long as there is one, the app's close does not end the connection.
func (a App) eachClient(yield func(fd int, inode uint64) bool) {
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
				more = a.withCopy(process, fd, func(own int) bool { return yield(own, inode) })
			}
		})
		unix.Close(process)
	}
}

// withCopy calls f with a copy of a descriptor when that is one of a client's connection.
func (a App) withCopy(process, fd int, f func(own int) bool) bool {
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return true // closed since, or forbidden: then the app has its grace
	}
	defer unix.Close(own)
	if !osproc.IsTCP(own) {
		return true
	}
	if local, ok := localOf(own); !ok || !a.has(local) {
		return true
	}
	return f(own)
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

func localOf(fd int) (netip.AddrPort, bool) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), true
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
		Received: info.Bytes_received, Acked: info.Bytes_acked, Sent: info.Bytes_sent, In: info.Data_segs_in, Out: info.Data_segs_out,
		LastReceived: time.Duration(info.Last_data_recv) * time.Millisecond,
		LastSent:     time.Duration(info.Last_data_sent) * time.Millisecond,
	}
}
