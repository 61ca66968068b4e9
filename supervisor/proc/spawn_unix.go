//go:build linux || darwin

package proc

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// spawn starts a guardian that waits for its start command.
func spawn() (*guardian, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	defer ours.Close() // FileConn has a copy of its own
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	child, err := execSelf(outermost, theirs)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &guardian{child: child, conn: conn.(*net.UnixConn)}, nil
}

func socketpair() (a, b *os.File, err error) {
	// The lock keeps a fork elsewhere from inheriting the pair where the flag
	// close-on-exec cannot be set at creation (macOS).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "guardian"), os.NewFile(uintptr(fds[1]), "devguard"), nil
}

// execSelf starts this program again as a guardian of the given stage, with
// files from descriptor 3 on, in a process group of its own: Ctrl-C at a
// terminal does not reach it.
func execSelf(stage string, files ...*os.File) (*os.Process, error) {
	path, err := osproc.Self()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return osproc.Apart(func() (*os.Process, error) {
		return os.StartProcess(path, guardianArgs(stage), &os.ProcAttr{
			Env:   os.Environ(),
			Files: append([]*os.File{null, null, null}, files...),
			Sys:   &syscall.SysProcAttr{Setpgid: true},
		})
	})
}
