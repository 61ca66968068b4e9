package front

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// answer writes what the app answers, and nothing of its own: net/http would add a Date and guess a
// Content-Type.
type answer struct {
	http.ResponseWriter
	page     bool      // a browser is to show it, and it may get the script
	private  bool      // the client may know of the project
	of       state     // that was before the app was asked: what it answers is no older. Of a page alone
	body     io.Closer // of the app's answer; nil before that
	empty    bool      // that body has no bytes
	hijacked *hijacked // nil until then
}

// end gives the app's answer up, whatever has become of it: ReverseProxy leaves one open that
// switches to another protocol than was asked for.
func (a *answer) end() {
	if a.body != nil {
		a.body.Close()
	}
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// FlushError is for http.ResponseController. An answer without a body has to end with its head, as the
// app's does: flushed, it would end with an empty frame behind that, which gRPC refuses.
func (a *answer) FlushError() error {
	if a.empty {
		return nil
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *answer) WriteHeader(code int) {
	if h := a.Header(); code >= 200 {
		for _, name := range []string{"Date", "Content-Type"} {
			if _, set := h[name]; !set {
				h[name] = nil
			}
		}
	}
	a.ResponseWriter.WriteHeader(code)
}

// Hijack is for an upgrade.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buf, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	// Nothing but the upgraded protocol limits it from here on.
	_ = c.SetDeadline(time.Time{})
	early, _ := buf.Reader.Peek(buf.Reader.Buffered())
	a.hijacked = &hijacked{Conn: c, early: bytes.NewReader(early)}
	return a.hijacked, buf, nil
}

// hijacked is the client's side of a connection that was upgraded.
type hijacked struct {
	net.Conn
	early *bytes.Reader // what had been read of it before
}

func (h *hijacked) Read(p []byte) (int, error) {
	if h.early.Len() > 0 {
		return h.early.Read(p)
	}
	return h.Conn.Read(p)
}

// CloseWrite passes on that the app sends no more.
func (h *hijacked) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// goodbye is how long a client has to answer the end of an upgraded connection.
const goodbye = 2 * time.Second

// hurry bounds how long the client is listened to, now that the app is gone.
func (h *hijacked) hurry() { _ = h.SetReadDeadline(time.Now().Add(goodbye)) }
