package front

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// proxy sends requests to the app, and its answers back.
type proxy struct {
	reverse *httputil.ReverseProxy
	private func(*http.Request) bool // whether its client may know of the project
	live    *live                    // nil: pages are left alone
}

func newProxy(p *passage, l *live, private func(*http.Request) bool) *proxy {
	x := &proxy{private: private, live: l}
	x.reverse = &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     sender{p, l},
		FlushInterval: flushAfter,
		BufferPool:    buffers{},
		ErrorHandler:  x.failed,
		ModifyResponse: func(res *http.Response) error {
			if answerOf(res.Request).page {
				l.addScript(res)
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0), // the app's failures are in its log, and in the answer
	}
	return x
}

// flushAfter is for how long the beginning of an answer of known length may stay here. Most are whole by then, and
// need one write instead of two. Answers of unknown length, and event streams, ReverseProxy flushes at once.
const flushAfter = 5 * time.Millisecond

// answerKey is where a request's context has its *answer.
type answerKey struct{}

func answerOf(r *http.Request) *answer { return r.Context().Value(answerKey{}).(*answer) }

func (x *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// Otherwise net/http reads the rest of the body before it sends what the app has answered.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	a := &answer{ResponseWriter: w, private: x.private(r)}
	if x.live != nil {
		if x.live.reserved(w, r, a.private) {
			return
		}
		a.page = a.private && wantsPage(r)
	}
	defer a.end()
	x.reverse.ServeHTTP(a, r.WithContext(context.WithValue(r.Context(), answerKey{}, a)))
}

// rewrite makes the request to the app of that of the client.
func rewrite(r *httputil.ProxyRequest) {
	out := r.Out
	out.URL.Scheme, out.URL.Host = "http", via(r.In) // the transport knows where the app is
	out.URL.RawQuery = r.In.URL.RawQuery             // ReverseProxy has made those of it that it can read
	if target := r.In.RequestURI; strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") || target == "*" {
		out.URL.Opaque, out.URL.RawQuery, out.URL.ForceQuery = target, "", false // byte by byte
	}
	if answerOf(r.In).page {
		askForPage(out.Header)
	}
	out.Trailer = r.In.Trailer // filled in when the body has been read
	forward(r.In, out)
}

// askForPage asks for the whole of a page, in an encoding that a script can be put into. Told that its own copy is
// still good, a browser would show that, which has the script of an earlier state: it would reload for ever.
func askForPage(h http.Header) {
	if h.Get("Accept-Encoding") != "" {
		h.Set("Accept-Encoding", "identity")
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		h.Del(name)
	}
}

// via is the host that the transport takes for the app: the address that the client came in on.
func via(r *http.Request) string {
	at := viaOf(r.Context().Value(http.LocalAddrContextKey).(net.Addr)) // net/http sets it
	return netip.AddrPortFrom(at.Addr().WithZone(""), at.Port()).String()
}

// forward says to the app who asks. What a client of this machine says itself is believed: it may
// be a proxy, for TLS or a public name.
func forward(in, out *http.Request) {
	peer := peerOf(in)
	local := peer.IsLoopback()
	before := in.Header.Values("X-Forwarded-For")
	if !local {
		before = nil
	}
	out.Header.Set("X-Forwarded-For", strings.Join(append(append([]string{}, before...), peer.String()), ", "))
	for name, value := range map[string]string{"X-Forwarded-Host": in.Host, "X-Forwarded-Proto": "http"} {
		if said := in.Header.Get(name); local && said != "" {
			value = said
		}
		out.Header.Set(name, value)
	}
	if said := in.Header.Values("Forwarded"); local && len(said) > 0 {
		out.Header["Forwarded"] = said
	}
}

// peerOf is the address that a request came from.
func peerOf(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap()
}

// failed answers a request that has no answer of the app.
func (x *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody waits for it
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{err: err}
	}
	x.refuse(w, r, f)
}

// buffers lends what bodies are copied through.
type buffers struct{}

var pool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (buffers) Get() []byte { return pool.Get().(*[32 << 10]byte)[:] }

func (buffers) Put(b []byte) {
	if len(b) == 32<<10 {
		pool.Put((*[32 << 10]byte)(b))
	}
}
