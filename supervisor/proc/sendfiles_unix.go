//go:build linux || darwin

package proc

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendFiles writes msg, the three files attached to its first byte.
func sendFiles(conn *net.UnixConn, msg []byte, files [3]*os.File) error {
	// Fd also makes a pipe of os.Pipe blocking, as os/exec does: the app
	// expects that of its standard files.
	return sendRights(conn, msg, int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd()))
}

// sendRights writes msg, the descriptors attached to its first byte.
func sendRights(conn *net.UnixConn, msg []byte, fds ...int) error {
	n, _, err := conn.WriteMsgUnix(msg, unix.UnixRights(fds...), nil)
	if err == nil && n < len(msg) {
		_, err = conn.Write(msg[n:])
	}
	return err
}

// receive reads one command and the files that came with it.
func receive(conn *net.UnixConn) (command, []*os.File, error) {
	var c command
	fds, err := receiveFrame(conn, &c)
	var files []*os.File
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "standard file"))
	}
	return c, files, err
}

// receiveEvent reads one event and the file that came with it, or nil.
func receiveEvent(conn *net.UnixConn) (event, *os.File, error) {
	var ev event
	fds, err := receiveFrame(conn, &ev)
	if len(fds) == 0 {
		return ev, nil, err
	}
	return ev, os.NewFile(uintptr(fds[0]), "seccomp notifications"), err
}

// receiveFrame reads one frame into v, and returns the descriptors that came with it.
func receiveFrame(conn *net.UnixConn, v any) ([]int, error) {
	var header [4]byte
	oob := make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(header[:], oob)
	if err != nil {
		return nil, err
	}
	fds, err := parseRights(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for n < len(header) {
		m, err := conn.Read(header[n:])
		if err != nil {
			return fds, err
		}
		n += m
	}
	return fds, readBody(conn, header, v)
}

func parseRights(oob []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var all []int
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		all = append(all, fds...)
	}
	return all, nil
}
