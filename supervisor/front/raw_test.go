package front

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// speak runs one connection of an app that is no HTTP server.
func speak(t *testing.T, talk func(net.Conn)) *app {
	t.Helper()
	a := &app{t, listenAs(t, "127.0.0.1:0")}
	go func() {
		for {
			c, err := a.listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); talk(c) }()
		}
	}()
	return a
}

// answering runs an app that writes what it says to each request, byte by byte, until it says no more.
func answering(t *testing.T, says func(*http.Request) (text string, more bool)) *app {
	t.Helper()
	return speak(t, func(c net.Conn) {
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			text, more := says(req)
			if _, _ = io.WriteString(c, text); !more {
				return
			}
		}
	})
}

// begin runs an app that writes that to a request, and leaves the connection to the test.
func begin(t *testing.T, text string) (a *app, conns <-chan net.Conn) {
	t.Helper()
	begun := make(chan net.Conn, 1)
	return speak(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, text)
		begun <- c
		<-t.Context().Done()
	}), begun
}

// TestOpaque: what is no HTTP reaches the app as it is, and so does its answer, up to the end of
// both.
func TestOpaque(t *testing.T) {
	a := speak(t, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = io.WriteString(c, "got "+string(b))
	})
	f := before(t, a)
	for _, text := range []string{"\x16\x03\x01\x00\x05hello", "*1\r\n$4\r\nPING\r\n", "PING\r\n", "GET", "\x00", "CONNECT a:1 HTTP/1.1\r\n\r\n"} {
		c := dial(t, f)
		_, _ = io.WriteString(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(c); string(b) != "got "+text || err != nil {
			t.Errorf("%q: %q, %v", text, b, err)
		}
	}
}

// TestServerSpeaksFirst: as SMTP or MySQL have it.
func TestServerSpeaksFirst(t *testing.T) {
	a := speak(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "250 "+line)
	})
	f := before(t, a)
	c := dial(t, f)
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); line != "220 hello\r\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = io.WriteString(c, "HELO me\r\n")
	if b, err := io.ReadAll(r); string(b) != "250 HELO me\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestOpenedAhead: a connection on which nobody has said anything outlives a generation, as
// browsers open them, and its request is proxied.
func TestOpenedAhead(t *testing.T) {
	asked := make(chan struct{}, 10)
	silent := speak(t, func(c net.Conn) {
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
		asked <- struct{}{}
	})
	two := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	})
	f := before(t, silent)
	c := dial(t, f)
	after(t, asked, "the connection to the app")
	f.Stopping(1)
	f.Settle(t.Context(), 1)
	after(t, asked, "the end of the connection to the app")
	f.Ended(1)
	f.Started(2, two.at())
	f.Ready(2)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), "\r\n\r\n127.0.0.1") || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestSilentIsClosed: when the app closes a connection on which nothing was said, the client sees
// that.
func TestSilentIsClosed(t *testing.T) {
	f := before(t, speak(t, func(net.Conn) {}))
	if b, err := io.ReadAll(dial(t, f)); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestOpaqueIsReset: when there is no app, whoever speaks no HTTP is treated as if nobody listened.
func TestOpaqueIsReset(t *testing.T) {
	f := open(t)
	f.Idle("it does not build")
	c := dial(t, f)
	_, _ = io.WriteString(c, "\x16\x03\x01\x00\x05hello")
	if b, err := io.ReadAll(c); err == nil {
		t.Errorf("%q without an error", b)
	}
}
