package front

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// answerBody is the body of the app's answer.
type answerBody struct {
	io.ReadCloser
	ticket *ticket
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.ticket.done()
	return err
}

// stream is the body of an answer that ends with the app: for the client that is its end, not a
// failure.
type stream struct{ answerBody }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.answerBody.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// endless reports whether an answer of that type goes on for as long as both sides like.
func endless(contentType string) bool {
	t, _, _ := mime.ParseMediaType(contentType)
	return t == "text/event-stream" || t == "multipart/x-mixed-replace"
}

// upgraded is the app's side of a connection that was upgraded.
type upgraded struct {
	answerBody
	conn      io.ReadWriteCloser
	websocket bool
	answer    *answer // that is hijacked before the first Read

	frames frames // of what was read
	rest   []byte // what is still to be read once the app has ended
	ended  bool
}

// Read returns what the app sends. A websocket that the app does not close itself is closed with
// 1012, where a frame may stand.
func (u *upgraded) Read(p []byte) (int, error) {
	if !u.ended {
		n, err := u.conn.Read(p)
		if u.websocket {
			u.frames.pass(p[:n])
		}
		if n > 0 || err == nil {
			return n, nil
		}
		u.ended = true
		if u.websocket && u.frames.open() {
			u.rest = serviceRestart
		}
		if u.answer.hijacked != nil {
			u.answer.hijacked.hurry()
		}
	}
	if len(u.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// Write takes what an app that is gone does not: ReverseProxy would give the connection up for that,
// before the client has had what Read still returns.
func (u *upgraded) Write(p []byte) (int, error) {
	_, _ = u.conn.Write(p)
	return len(p), nil
}

// CloseWrite passes on that the client sends no more.
func (u *upgraded) CloseWrite() error {
	c, ok := u.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	_ = c.CloseWrite() // see Write
	return nil
}

func isWebsocket(h http.Header) bool { return strings.EqualFold(h.Get("Upgrade"), "websocket") }
