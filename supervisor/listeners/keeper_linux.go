package listeners

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// How a keeper knows itself. lsof and ss show its name beside a port, so it is one that
// says what it is about; it has at most 15 bytes.
const (
	keeperName = "devguard-holds"
	keeperFlag = "--listening-sockets"
	keeperFD   = 3
)

// Operations of a keeper. Each request is answered.
const (
	opPut      = iota + 1 // a socket comes with it
	opGet                 // the answer brings a copy
	opDrop                // closes it
	opLengthen            // listens with a long queue
	opWaiting             // how many connections wait to be accepted
	opAnswer              // whoever connects is told a reason, which comes with it
	opSilence             // they wait again
	opDefer               // opLengthen, and only those who have sent something can be accepted
	opRenew               // another socket is kept in its place from now on, whose inode is the answer
	opTakeOver            // those who wait on the socket before opRenew wait on this one
	opAccepts             // before opRenew: waits until the app accepts on several sockets; see accepting
)

// queue is how many connections wait while nobody accepts. The kernel bounds it by
// net.core.somaxconn, 4096 by default.
const queue = 4096

// patience is how long the keeper may take for an answer: microseconds, unless the machine
// is busy with everything else.
const patience = 3 * time.Second

const (
	requestSize = 1 + 8 // operation, inode; a reason may follow
	answerSize  = 4 + 8 // errno, value
)

// Keeper must be called by main before anything else. In an ordinary process it returns
// false at once. In a process that a Holder has made it keeps sockets until devguard is
// gone, and returns true.
func Keeper() bool {
	if len(os.Args) != 2 || os.Args[0] != keeperName || os.Args[1] != keeperFlag {
		return false
	}
	if kind, err := unix.GetsockoptInt(keeperFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return false
	}
	_ = os.WriteFile("/proc/self/comm", []byte(keeperName), 0) // else it shows as "exe"
	unix.CloseOnExec(keeperFD)
	kept := shelf{}
	for {
		var b [requestSize + maxReason]byte
		n, fd, err := receive(keeperFD, b[:])
		if err != nil || n < requestSize {
			return true
		}
		r := request{op: b[0], inode: binary.NativeEndian.Uint64(b[1:]), reason: string(b[requestSize:n]), fd: fd}
		if err := kept.reply(r); err != nil {
			return true
		}
	}
}

// request is what a keeper is asked for. fd came with it, or is -1.
type request struct {
	op     byte
	inode  uint64
	reason string
	fd     int
}

// accepting is the request opAccepts. Its inodes are in the place of a reason.
func accepting(inodes []uint64) request {
	var list []byte
	for _, inode := range inodes {
		list = binary.NativeEndian.AppendUint64(list, inode)
	}
	return request{op: opAccepts, reason: string(list), fd: -1}
}

// inodes are those of the request opAccepts.
func (r request) inodes() (list []uint64) {
	for b := []byte(r.reason); len(b) >= 8; b = b[8:] {
		list = append(list, binary.NativeEndian.Uint64(b))
	}
	return list
}

// shelf is what a keeper has, by the inodes of the sockets.
type shelf map[uint64]*keptSocket

type keptSocket struct {
	fd        int
	busy      error        // of opAccepts: why it is not renewed
	olds      []int        // sockets from before opRenew
	takeover  *takeover    // nil: there was none
	answering *unavailable // nil: connections wait
	deferring bool         // TCP_DEFER_ACCEPT is ours
}

// lengthen listens with a long queue. With deferring, only connections that have sent something can be
// accepted, or that are a second old; not where the app has asked for that itself. It is no error when
// that cannot be had.
func (k *keptSocket) lengthen(deferring bool) error {
	own, err := unix.GetsockoptInt(k.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT)
	switch {
	case deferring && err == nil && own == 0:
		k.deferring = unix.SetsockoptInt(k.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1) == nil
	case !deferring && k.deferring:
		k.deferring = unix.SetsockoptInt(k.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0) != nil
	}
	return unix.Listen(k.fd, queue)
}

func (k *keptSocket) silence() {
	if k.answering != nil {
		k.answering.stop()
		k.answering = nil
	}
}

func (k *keptSocket) close() {
	k.silence()
	if k.takeover != nil {
		k.takeover.stop()
	}
	for _, fd := range append(k.olds, k.fd) {
		unix.Close(fd)
	}
}

// accepts waits until the app accepts on all of these sockets, or is found not to. That is once for all of
// them: the stop waits for it.
func (s shelf) accepts(inodes []uint64) {
	var looks sync.WaitGroup
	for _, inode := range inodes {
		if k := s[inode]; k != nil {
			looks.Go(func() { k.busy = accepts(k.fd) })
		}
	}
	looks.Wait()
}

// renew has another socket kept in the place of one.
func (s shelf) renew(inode uint64) (renewed uint64, err error) {
	k := s[inode]
	if len(k.olds) > 0 || k.takeover != nil && k.takeover.goesOn() {
		return 0, errBusy
	}
	if k.busy != nil {
		return 0, k.busy
	}
	fd, olds, err := renew(k.fd)
	if err != nil {
		return 0, err
	}
	if renewed, err = inodeOf(fd); err != nil {
		return 0, err
	}
	delete(s, inode)
	s[renewed] = &keptSocket{fd: fd, olds: olds}
	return renewed, nil
}

// takeOver has those who wait on a socket from before renew wait on this one.
func (k *keptSocket) takeOver() {
	if len(k.olds) > 0 {
		k.takeover, k.olds = takeOver(k.olds), nil
	}
}

// reply does what is asked for and answers.
func (s shelf) reply(r request) error {
	value, gives, failed := s.do(r)
	var b [answerSize]byte
	var errno syscall.Errno
	if failed != nil && !errors.As(failed, &errno) {
		errno = unix.EIO
	}
	binary.NativeEndian.PutUint32(b[:], uint32(errno))
	binary.NativeEndian.PutUint64(b[4:], value)
	return send(keeperFD, b[:], gives)
}

// do does what is asked for. gives is a descriptor for the answer, or -1.
func (s shelf) do(r request) (value uint64, gives int, err error) {
	k := s[r.inode]
	switch {
	case r.op == opPut && r.fd >= 0:
		if k != nil {
			k.close()
		}
		s[r.inode] = &keptSocket{fd: r.fd}
		return 0, -1, nil
	case r.op == opAccepts:
		s.accepts(r.inodes())
		return 0, -1, nil
	case k == nil:
		return 0, -1, unix.ENOENT
	}
	switch r.op {
	case opGet:
		k.silence()
		return 0, k.fd, nil
	case opDrop:
		k.close()
		delete(s, r.inode)
	case opLengthen:
		err = k.lengthen(false)
	case opDefer:
		err = k.lengthen(true)
	case opWaiting:
		var n int
		n, err = waiting(k.fd)
		value = uint64(n)
	case opAnswer:
		k.silence()
		k.answering, err = answerOn(k.fd, r.reason)
	case opSilence:
		k.silence()
	case opRenew:
		value, err = s.renew(r.inode)
	case opTakeOver:
		k.takeOver()
	default:
		err = unix.EINVAL
	}
	return value, -1, err
}

// waiting is how many connections of a listening socket are not accepted yet: that is what
// the field is for a socket that listens.
func waiting(fd int) (int, error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != tcpListen {
		return 0, err
	}
	return int(info.Unacked), nil
}

const tcpListen = 10 // TCP_LISTEN of the kernel's tcp_states.h

func send(socket int, b []byte, fd int) error {
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	for {
		err := unix.Sendmsg(socket, b, rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// receive returns the length of one message, 0 at the end of the connection, and the
// descriptor that came with it, or -1.
func receive(socket int, b []byte) (n, fd int, err error) {
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn := 0, 0
	for {
		n, oobn, _, _, err = unix.Recvmsg(socket, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || oobn == 0 {
		return n, -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return n, -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return n, -1, err
	}
	return n, fds[0], nil
}

// keeper is the process that keeps the copies, as devguard sees it. One goroutine has it.
type keeper struct {
	process *os.Process
	socket  int
	ended   chan struct{} // closed when it has ended
}

// startKeeper starts one.
func startKeeper() (*keeper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start the process that keeps sockets: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "devguard")
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		defer null.Close()
		limit := unix.NsecToTimeval(patience.Nanoseconds())
		err = errors.Join(
			unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
			unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit))
	}
	k := &keeper{socket: pair[0], ended: make(chan struct{})}
	if err == nil {
		k.process, err = execKeeper(null, null, null, theirs)
	}
	if err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("start the process that keeps sockets: %w", err)
	}
	go func() {
		k.process.Wait() // how it ended does not matter
		close(k.ended)
	}()
	return k, nil
}

// execKeeper starts this program again with these files, in a group of its own: neither Ctrl-C at a
// terminal reaches it, nor Ctrl-Z.
func execKeeper(files ...*os.File) (*os.Process, error) {
	return osproc.Apart(func() (*os.Process, error) {
		return os.StartProcess("/proc/self/exe", []string{keeperName, keeperFlag}, &os.ProcAttr{
			Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setpgid: true},
		})
	})
}

// close ends it and what it keeps, and waits for it.
func (k *keeper) close() {
	unix.Close(k.socket)
	<-k.ended
}

// errLost says that the keeper does not answer: somebody has killed it.
var errLost = errors.New("the process that keeps sockets was killed")

// ask makes one request. Its descriptor is sent along unless it is negative; got is the one that
// came back, or -1.
func (k *keeper) ask(r request) (value uint64, got int, err error) {
	b := binary.NativeEndian.AppendUint64([]byte{r.op}, r.inode)
	b = append(b, r.reason[:min(len(r.reason), maxReason)]...)
	if err := send(k.socket, b, r.fd); err != nil {
		return 0, -1, fmt.Errorf("%w: %w", errLost, err)
	}
	var answer [answerSize]byte
	n, got, err := receive(k.socket, answer[:])
	switch {
	case err != nil:
		return 0, -1, fmt.Errorf("%w: %w", errLost, err)
	case n != answerSize:
		return 0, -1, errLost
	}
	if errno := syscall.Errno(binary.NativeEndian.Uint32(answer[:])); errno != 0 {
		return 0, got, errno
	}
	return binary.NativeEndian.Uint64(answer[4:]), got, nil
}
