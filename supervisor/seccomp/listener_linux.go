//go:build linux && (amd64 || arm64)

package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listener receives the notifications of one filter. Receive is for one goroutine;
// the answers may come from another.
type Listener struct {
	file *os.File
	wake *os.File // an eventfd that is readable once Close was called

	request, response int // bytes of the kernel's structures, which may have grown
}

// The structures of linux/seccomp.h.
type (
	data struct {
		Number  int32
		Arch    uint32
		Pointer uint64
		Args    [6]uint64
	}
	request struct {
		ID    uint64
		PID   uint32
		Flags uint32
		Data  data
	}
	response struct {
		ID    uint64
		Value int64
		Error int32
		Flags uint32
	}
	addFD struct {
		ID       uint64
		Flags    uint32
		Source   uint32
		New      uint32
		NewFlags uint32
	}
	sizes struct{ Request, Response, Data uint16 }
)

// NewListener takes over the descriptor that Install returned in another process. After an
// error it is the caller's.
func NewListener(file *os.File) (*Listener, error) {
	var s sizes
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&s)))
	if errno != 0 {
		return nil, fmt.Errorf("ask for the size of notifications: %w", errno)
	}
	l := &Listener{
		file:     file,
		request:  max(int(s.Request), int(unsafe.Sizeof(request{}))),
		response: max(int(s.Response), int(unsafe.Sizeof(response{}))),
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("take over the notifications: %w", err)
	}
	l.wake = os.NewFile(uintptr(wake), "end of seccomp notifications")
	return l, nil
}

// Close gives up: calls that wait, and later ones, fail with ENOSYS. It ends Receive.
func (l *Listener) Close() error {
	_, _ = l.wake.Write(binary.NativeEndian.AppendUint64(nil, 1)) // fails when it is closed
	return errors.Join(l.file.Close(), l.wake.Close())
}

// Receive returns the next notification; io.EOF when no process has the filter any
// more, os.ErrClosed after Close. It takes a thread while it waits: the runtime's poller is
// told of changes alone, and a signal to the thread that asks has the kernel answer with
// POLLERR instead of what there is.
func (l *Listener) Receive() (n Notification, err error) {
	closed := control(l.file, func(fd uintptr) error {
		return control(l.wake, func(wake uintptr) error {
			n, err = l.receive(fd, wake)
			return nil
		})
	})
	if closed != nil {
		return n, os.ErrClosed
	}
	return n, err
}

// control does f with the descriptor of a file that is open, and stays open meanwhile.
func control(file *os.File, f func(fd uintptr) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	return failed
}

func (l *Listener) receive(fd, wake uintptr) (n Notification, err error) {
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
		_, err := unix.Poll(poll, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return n, fmt.Errorf("wait for a notification: %w", err)
		case poll[1].Revents != 0:
			return n, os.ErrClosed
		case poll[0].Revents&unix.POLLIN != 0:
		case poll[0].Revents&unix.POLLHUP != 0:
			return n, io.EOF
		default:
			continue // POLLERR: a signal came
		}
		// The kernel wants it zeroed, and may write more than we know of.
		buf := make([]uint64, (l.request+7)/8)
		req := (*request)(unsafe.Pointer(&buf[0]))
		switch errno := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&buf[0])); errno {
		case 0:
			return req.notification(), nil
		case unix.EINTR, unix.ENOENT, unix.ENOTCONN: // the caller is gone: look again
		default:
			return n, fmt.Errorf("receive a notification: %w", errno)
		}
	}
}

func (r *request) notification() Notification {
	n := Notification{id: r.ID, Thread: int(r.PID), Call: Listen, FD: int(int32(r.Data.Args[0]))}
	switch r.Data.Number {
	case unix.SYS_BIND:
		n.Call, n.Address, n.Length = Bind, r.Data.Args[1], int(int32(r.Data.Args[2]))
	case unix.SYS_EXECVE:
		n.Call, n.FD, n.Address = Exec, unix.AT_FDCWD, r.Data.Args[0]
	case unix.SYS_EXECVEAT:
		n.Call, n.Address = Exec, r.Data.Args[1]
	}
	return n
}

// ContinueNext has the kernel do the next call that the descriptor, as Install has returned it, tells of.
// The file stays the caller's. io.EOF is as for Receive.
func ContinueNext(file *os.File) error {
	l, err := NewListener(file)
	if err != nil {
		return err
	}
	defer l.wake.Close()
	n, err := l.Receive()
	if err != nil {
		return err
	}
	if err := l.Continue(n); !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}

// Waiting reports whether the call still waits. What was read from the process before
// is then of the process that made the call, and not of one that has its pid now.
func (l *Listener) Waiting(n Notification) bool {
	id := n.id
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil
}

// Continue has the kernel do the call as if nobody had asked.
func (l *Listener) Continue(n Notification) error {
	return l.send(response{ID: n.id, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// Succeed has the call return 0 without having been done.
func (l *Listener) Succeed(n Notification) error { return l.send(response{ID: n.id}) }

func (l *Listener) send(r response) error {
	buf := make([]uint64, (l.response+7)/8)
	*(*response)(unsafe.Pointer(&buf[0])) = r
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&buf[0]))
}

// Replace puts the file of descriptor fd of ours in the place of the descriptor that
// the call was made with. It does not answer the call.
func (l *Listener) Replace(n Notification, fd int, closeOnExec bool) error {
	a := addFD{ID: n.id, Flags: unix.SECCOMP_ADDFD_FLAG_SETFD, Source: uint32(fd), New: uint32(n.FD)}
	if closeOnExec {
		a.NewFlags = unix.O_CLOEXEC
	}
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
}

// ioctl answers ErrGone when the kernel does not know the call any more.
func (l *Listener) ioctl(request uint, arg unsafe.Pointer) error {
	err := control(l.file, func(fd uintptr) error {
		errno := unix.EINTR
		for errno == unix.EINTR {
			errno = ioctl(fd, request, arg)
		}
		if errno != 0 {
			return errno
		}
		return nil
	})
	if errors.Is(err, unix.ENOENT) {
		return ErrGone
	}
	return err
}

func ioctl(fd uintptr, request uint, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg))
	return errno
}
