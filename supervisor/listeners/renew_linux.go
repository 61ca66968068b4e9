package listeners

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
)

// late is how long a handshake that began at an old socket may take to come into its queue: some round
// trips of a bad network, or a client that does not get the processor. A guess.
const late = 500 * time.Millisecond

// busy is how long an app that accepts may take for whoever has connected, on a machine that is busy
// with everything else. The stop waits for it. A guess.
const busy = 50 * time.Millisecond

// errBusy says that the app does not accept: those who wait are to be handed over, not passed on.
var errBusy = errors.New("connections wait to be accepted")

// renew makes a socket that listens at the place of another one, with the same options. The kernel
// gives it all connections that begin from now on, and leaves to the old one those that have begun.
// olds are what connections may still come out of: the old socket, and one that was needed in between.
// The app accepts; see accepts.
func renew(old int) (fd int, olds []int, err error) {
	if fd, err = twin(old); err != nil {
		return -1, nil, err
	}
	if err = errors.Join(reusePort(old, 1), reusePort(fd, 1)); err == nil {
		err = listenAt(fd, old)
	}
	olds = []int{old}
	if family, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && family == unix.AF_INET6 {
		// The newest socket of IPv4 is asked first by itself, the newest one of IPv6 last.
		var between int
		if between, err = prefer(fd); between >= 0 {
			olds = append(olds, between)
		}
	}
	// The old one keeps the option: without it the kernel does not look for the others.
	if err = errors.Join(err, reusePort(fd, 0)); err != nil {
		_ = reusePort(old, 0)
		for _, opened := range append(olds[1:], fd) {
			unix.Close(opened)
		}
		return -1, nil, err
	}
	return fd, olds, nil
}

// accepts waits, not for long, until nobody waits on a listening socket, or fewer do than before.
func accepts(fd int) error {
	before := 0
	for end := time.Now().Add(busy); ; time.Sleep(time.Millisecond) {
		n, err := waiting(fd)
		if n == 0 || n < before {
			return err
		}
		if time.Now().After(end) {
			return errBusy
		}
		before = n
	}
}

// awaitAccepts goes before all that is to be renewed.
func (h *Holder) awaitAccepts(acts []hold.Action) {
	var inodes []uint64
	for _, a := range acts {
		if r, is := a.(hold.Renew); is {
			inodes = append(inodes, r.Inode)
		}
	}
	if len(inodes) == 0 {
		return
	}
	if _, _, err := h.keep(accepting(inodes)); errors.Is(err, errLost) {
		h.lost()
	}
}

func reusePort(fd, on int) error {
	return os.NewSyscallError("SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, on))
}

// listenAt has a new socket listen where another one does.
func listenAt(fd, other int) error {
	at, err := unix.Getsockname(other)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, at); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return unix.Listen(fd, queue)
}

// inherited are options, beside those of hold.Options, that connections have of the socket that they
// were accepted from. They may be set at any time.
var inherited = []struct{ level, name int }{
	{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_MARK},
	{unix.SOL_SOCKET, unix.SO_RCVLOWAT}, {unix.SOL_SOCKET, unix.SO_OOBINLINE},
	{unix.IPPROTO_IP, unix.IP_TOS}, {unix.SOL_SOCKET, unix.SO_PRIORITY}, // IP_TOS sets that, too
	{unix.IPPROTO_IP, unix.IP_TTL},
	{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}, {unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS},
	{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}, {unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT},
	{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT}, {unix.IPPROTO_TCP, unix.TCP_FASTOPEN},
}

// twin makes a socket with the options of another one, in the same network namespace, or fails.
func twin(other int) (fd int, err error) {
	want := optionsOf(other)
	family, err := unix.GetsockoptInt(other, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return -1, err
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, want.Protocol); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	copyOptions(fd, other, want)
	if net := netOf(other); net == 0 || net != netOf(fd) {
		err = errors.New("it is in another network namespace")
	} else if has := optionsOf(fd); has != want {
		err = fmt.Errorf("its options cannot be set: %+v instead of %+v", has, want)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// copyOptions sets what differs. What cannot be set is found by whoever compares.
func copyOptions(to, from int, want hold.Options) {
	set := func(level, name int) {
		value, err := unix.GetsockoptInt(from, level, name)
		if now, _ := unix.GetsockoptInt(to, level, name); err == nil && now != value {
			_ = unix.SetsockoptInt(to, level, name, value)
		}
	}
	set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	set(unix.IPPROTO_IP, unix.IP_FREEBIND)
	set(unix.IPPROTO_IP, unix.IP_TRANSPARENT)
	for _, o := range inherited {
		set(o.level, o.name)
	}
	if has := optionsOf(to); has.SendBuffer != want.SendBuffer || has.ReceiveBuffer != want.ReceiveBuffer {
		// The kernel doubles what is asked for.
		_ = unix.SetsockoptInt(to, unix.SOL_SOCKET, unix.SO_SNDBUF, want.SendBuffer/2)
		_ = unix.SetsockoptInt(to, unix.SOL_SOCKET, unix.SO_RCVBUF, want.ReceiveBuffer/2)
	}
	if want.Device != "" {
		_ = unix.BindToDevice(to, want.Device)
	}
	copyLinger(to, from)
	copyCongestion(to, from)
}

func copyLinger(to, from int) {
	value, err := unix.GetsockoptLinger(from, unix.SOL_SOCKET, unix.SO_LINGER)
	if now, failed := unix.GetsockoptLinger(to, unix.SOL_SOCKET, unix.SO_LINGER); err == nil && failed == nil && *now != *value {
		_ = unix.SetsockoptLinger(to, unix.SOL_SOCKET, unix.SO_LINGER, value)
	}
}

func copyCongestion(to, from int) {
	name, err := unix.GetsockoptString(from, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if now, _ := unix.GetsockoptString(to, unix.IPPROTO_TCP, unix.TCP_CONGESTION); err == nil && now != name {
		_ = unix.SetsockoptString(to, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	}
}

// second is a program for sockets that share a place: the second of them gets all connections. The
// first is the old one; when that is closed and there is no second, the kernel takes who is left.
var second = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}

// prefer has the kernel give new connections to the newer one of two sockets at a place. One of MPTCP
// cannot have a program (Linux 6.18), but those at its place have it in common: it comes by another
// socket then, `between`, which may get a connection before the program is there.
func prefer(newer int) (between int, err error) {
	program := &unix.SockFprog{Len: uint16(len(second)), Filter: &second[0]}
	err = unix.SetsockoptSockFprog(newer, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, program)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return -1, os.NewSyscallError("SO_ATTACH_REUSEPORT_CBPF", err)
	}
	if between, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	copyOptions(between, newer, optionsOf(newer))
	if err = reusePort(between, 1); err == nil {
		err = listenAt(between, newer)
	}
	if err == nil {
		err = unix.SetsockoptSockFprog(between, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, program)
	}
	return between, err
}

// takeover connects those who come out of old listening sockets with the new one, by its address.
type takeover struct {
	olds  []net.Listener
	left  atomic.Int32 // of them
	ended sync.WaitGroup
}

// takeOver takes the old descriptors over. No process of the app has them any more.
func takeOver(olds []int) *takeover {
	t := &takeover{}
	for _, fd := range olds {
		file := os.NewFile(uintptr(fd), "listening socket")
		l, err := net.FileListener(file)
		file.Close()
		if err != nil {
			continue
		}
		t.olds = append(t.olds, l)
		t.left.Add(1)
		t.ended.Go(func() {
			defer t.left.Add(-1)
			passOn(l)
		})
	}
	return t
}

// goesOn reports whether an old socket is still there. The new one is not renewed meanwhile: which of
// three is preferred cannot be said.
func (t *takeover) goesOn() bool { return t.left.Load() > 0 }

// stop closes the old sockets. The new one must not be closed before: who was meant for it would come
// to an old one. Those that were passed on stay.
func (t *takeover) stop() {
	for _, l := range t.olds {
		l.Close()
	}
	t.ended.Wait()
}

// passOn goes on for a while, and for a bounded number of clients: whatever is wrong, it must not go
// on passing to itself.
func passOn(l net.Listener) {
	defer l.Close()
	if tcp, is := l.(*net.TCPListener); is {
		_ = tcp.SetDeadline(time.Now().Add(late))
	}
	for range maxClients {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go join(c)
	}
}

// join connects one client again, from the same address when that is one of this machine, and passes
// the bytes on for as long as it talks.
func join(client net.Conn) {
	defer client.Close()
	var d net.Dialer
	if from, is := client.RemoteAddr().(*net.TCPAddr); is && from.IP.IsLoopback() {
		d.LocalAddr = &net.TCPAddr{IP: from.IP}
	}
	server, err := d.Dial("tcp", client.LocalAddr().String())
	if err != nil {
		return
	}
	defer server.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		pour(server, client)
	}()
	pour(client, server)
	_ = client.SetReadDeadline(time.Now().Add(linger))
	<-sent
}

// pour copies until the end, and passes that on.
func pour(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if tcp, is := to.(*net.TCPConn); is {
		_ = tcp.CloseWrite()
	}
}
