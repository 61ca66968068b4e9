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
