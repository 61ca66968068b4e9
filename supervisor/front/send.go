package front

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/devguard/devguard/supervisor/gate"
)

// sender is the http.RoundTripper of the proxy: it sends a request when the gate says so, and again
// only if nothing of it can have reached the app.
type sender struct {
	passage *passage
	live    *live // nil: pages are left alone
}

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	s.remember(r)
	page := answerOf(r).page && r.Method == http.MethodGet
	t, d := s.passage.arrive(gate.Request{Page: page, Reads: page || onlyReads(r)})
	var last error
	for {
		up, err := t.await(r.Context(), d, last)
		if err != nil {
			t.done()
			return nil, err
		}
		s.remember(r)
		a := newAttempt(up, r)
		res, err := a.send()
		if err == nil {
			s.tellPages(r, up, res)
			return t.take(up, r, res), nil
		}
		if r.Context().Err() != nil {
			t.done()
			return nil, err
		}
		if last = err; a.seen() {
			d = t.broken()
		} else {
			d = t.unsent()
		}
	}
}

// remember keeps the state that is before the app is asked for a page, or refused to who asks. A change that comes
// while the app makes the page, or while it is refused, may not be in it, and the page is to be told of it.
func (s sender) remember(r *http.Request) {
	if a := answerOf(r); a.page {
		a.of, _ = s.live.now()
	}
}

// tellPages has pages reload when a generation answers that was not ready in time: nothing else tells of it later.
// An app that says 503 is not ready yet by its own word.
func (s sender) tellPages(r *http.Request, up *upstream, res *http.Response) {
	if s.live != nil && res.StatusCode != http.StatusServiceUnavailable {
		a := answerOf(r)
		a.of = s.live.answered(up.gen, a.of)
	}
}

// attempt is one try to send a request.
type attempt struct {
	request   *http.Request
	transport *http.Transport
	body      *watchedBody // nil: it has none

	conn   *counted // that it was given; nil before
	before int64    // what had been written on it by then
	opaque bool     // the connection is shared: what was written says nothing
}

func newAttempt(up *upstream, r *http.Request) *attempt {
	a := &attempt{}
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: a.gotConn})
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		a.body = &watchedBody{ReadCloser: r.Body}
		r.Body = a.body
	}
	switch {
	case r.ProtoMajor == 2:
		a.transport = up.h2c
	case a.body == nil && isSafe(r.Method) && r.Header.Get("Upgrade") == "":
		a.transport = up.pooled
		r.Body = nothing{} // a transport sends again what has no body, when the app closes a used connection
	default:
		a.transport = up.fresh
	}
	a.request = r
	return a
}

func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	c, is := info.Conn.(*counted)
	if !is || a.request.ProtoMajor == 2 {
		a.opaque = true
		return
	}
	a.conn, a.before = c, c.written.Load()
}

func (a *attempt) send() (*http.Response, error) { return a.transport.RoundTrip(a.request) }

// seen reports whether the app may have got something of the request, after it has failed.
func (a *attempt) seen() bool {
	switch {
	case a.body != nil && a.body.touched.Load():
		return true // it cannot be sent again in any case
	case a.opaque:
		return true
	case a.conn == nil:
		return false // there was no connection
	}
	return a.conn.written.Load() > a.before
}

// isSafe reports whether a request asks for no change, so that its connection may be one that the
// app is about to close. TRACE is left out: http.Transport would say that a body comes, which TRACE must not have.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// watchedBody is a request's body of which is known whether it was read.
type watchedBody struct {
	io.ReadCloser
	touched atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.ReadCloser.Read(p)
}

// Close keeps a body that was not read: a transport that found no connection closes it, and ReverseProxy
// lets nobody read it after that. ReverseProxy itself closes it at the end.
func (b *watchedBody) Close() error {
	if !b.touched.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// nothing is an empty body that http.Transport does not know to be empty.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) Close() error             { return nil }

// take wraps the body of an answer, so that it is known when it is over.
func (t *ticket) take(up *upstream, r *http.Request, res *http.Response) *http.Response {
	kind, grpc := kindOf(r, res), isCall(res)
	body := answerBody{ReadCloser: res.Body, ticket: t}
	var open *openStream
	if kind == gate.Stream || grpc {
		open = &openStream{up.gen, later, func() { _ = body.ReadCloser.Close() }}
	}
	t.passage.answered(t.id, kind, open)
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		res.Body = &upgraded{answerBody: body, conn: res.Body.(io.ReadWriteCloser), websocket: isWebsocket(res.Header), answer: answerOf(r)}
	case kind == gate.Stream:
		res.Body = &stream{body}
	case grpc:
		res.Body = &call{body, res}
	default:
		res.Body = &body
	}
	a := answerOf(r)
	a.body, a.empty = res.Body, res.ContentLength == 0
	return res
}

func kindOf(r *http.Request, res *http.Response) gate.Kind {
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols, endless(res.Header.Get("Content-Type")):
		return gate.Stream
	case res.ContentLength >= 0, r.Method == http.MethodHead:
		return gate.Sized
	}
	return gate.Unsized
}
