package listeners

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// silence is how long whoever connects may take for a request line. Who does not speak by
	// then waits for the server to begin, or has connected ahead.
	silence = 300 * time.Millisecond

	// linger is how long we read on behind our answer: closed with bytes unread, a socket
	// resets the connection, and the client may not see what we said.
	linger = 500 * time.Millisecond

	maxRequestLine = 8 << 10 // bytes, as most servers have it
	maxReason      = 4 << 10 // bytes

	// maxClients bounds those that are answered at a time, and so the descriptors of this process;
	// the others wait their turn.
	maxClients = 256
)

// unavailable answers 503 to whoever makes an HTTP/1 request on a kept socket while no process of
// the app has it. Everybody else (TLS, HTTP/2, other protocols, the silent) is reset, as if nobody
// listened.
type unavailable struct {
	listener net.Listener
	ended    chan struct{} // closed when nothing is accepted any more
}

// answerOn begins to answer on a listening socket, which stays the caller's.
func answerOn(fd int, reason string) (*unavailable, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(own), "listening socket")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	u := &unavailable{l, make(chan struct{})}
	go func() {
		defer close(u.ended)
		clients := make(chan struct{}, maxClients)
		for {
			clients <- struct{}{}
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				refuse(c, reason)
				<-clients
			}()
		}
	}()
	return u, nil
}

// stop has connections wait again. Those that were accepted get their answer.
func (u *unavailable) stop() {
	u.listener.Close()
	<-u.ended
}

// refuse answers one connection.
func refuse(c net.Conn, reason string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(silence))
	head, ok := httpRequest(c)
	if !ok {
		if tcp, is := c.(*net.TCPConn); is {
			_ = tcp.SetLinger(0)
		}
		return
	}
	_ = c.SetDeadline(time.Now().Add(linger))
	if _, err := io.WriteString(c, response(head, reason, isLoopback(c.RemoteAddr()))); err != nil {
		return
	}
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
}

// httpRequest reads a request line of HTTP/1.x, and reports whether the method is HEAD. Not ok is
// also what stops being one before its end.
func httpRequest(r io.Reader) (head, ok bool) {
	buf := bufio.NewReaderSize(io.LimitReader(r, maxRequestLine), maxRequestLine)
	if first, err := buf.Peek(1); err != nil || first[0] < 'A' || first[0] > 'Z' {
		return false, false // TLS begins with 0x16
	}
	line, err := buf.ReadString('\n')
	if err != nil {
		return false, false
	}
	words := strings.Split(strings.TrimRight(line, "\r\n"), " ")
	if len(words) != 3 || words[1] == "" || words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0" {
		return false, false // HTTP/2 begins with PRI * HTTP/2.0
	}
	return words[0] == "HEAD", true
}

// response is the whole answer. Only this machine is told why: a reason has names of files in it.
func response(head bool, reason string, local bool) string {
	if !local {
		reason = "the app does not run"
	}
	body := "devguard: " + reason + "\n"
	if head {
		body = ""
	}
	return fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		len("devguard: ")+len(reason)+1, body)
}

func isLoopback(addr net.Addr) bool {
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}
