//go:build linux || darwin

package proc

import (
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
	path, err := self()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return os.StartProcess(path, guardianArgs(stage), &os.ProcAttr{
		Env:   os.Environ(),
		Files: append([]*os.File{null, null, null}, files...),
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
}

// sendFiles writes msg, the three files attached to its first byte.
func sendFiles(conn *net.UnixConn, msg []byte, files [3]*os.File) error {
	// Fd also makes a pipe of os.Pipe blocking, as os/exec does: the app
	// expects that of its standard files.
	rights := unix.UnixRights(int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd()))
	n, _, err := conn.WriteMsgUnix(msg, rights, nil)
	if err == nil && n < len(msg) {
		_, err = conn.Write(msg[n:])
	}
	return err
}

// receive reads one command and the files that came with it.
func receive(conn *net.UnixConn) (command, []*os.File, error) {
	var c command
	var header [4]byte
	oob := make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(header[:], oob)
	if err != nil {
		return c, nil, err
	}
	files, err := parseFiles(oob[:oobn])
	if err != nil {
		return c, nil, err
	}
	for n < len(header) {
		m, err := conn.Read(header[n:])
		if err != nil {
			return c, nil, err
		}
		n += m
	}
	return c, files, readBody(conn, header, &c)
}

func parseFiles(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "standard file"))
		}
	}
	return files, nil
}

func ownGroup() int { return unix.Getpgrp() }

// endGroup kills what is left of a group whose leader nobody guards any more.
// The bound is for members that cannot be killed.
func endGroup(group int) {
	deadline := time.Now().Add(killWait)
	for unix.Kill(-group, unix.SIGKILL) == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // init reaps them; there is nothing to wait on
	}
}

// takeForeground gives the terminal to group next when group cur has it, or a
// group that no longer exists.
func takeForeground(tty *os.File, cur, next int) {
	fd := int(tty.Fd())
	have, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || have != cur && unix.Kill(-have, 0) != unix.ESRCH {
		return
	}
	// A process in the background that does this is stopped by SIGTTOU unless
	// it ignores it.
	signal.Ignore(unix.SIGTTOU)
	defer signal.Reset(unix.SIGTTOU)
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, next) // fails when the terminal has hung up
}
