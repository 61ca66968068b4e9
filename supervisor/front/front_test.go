package front

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// limit bounds every wait: far more than anything needs, so that only what never comes fails.
const limit = 30 * time.Second

// app is a server that a test runs in the app's place.
type app struct {
	t        testing.TB
	listener net.Listener
}

func listenAs(t testing.TB, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve runs a handler, for HTTP/1 and HTTP/2 without TLS, as one generation.
func serve(t testing.TB, h http.HandlerFunc) *app {
	t.Helper()
	a := &app{t, listenAs(t, "127.0.0.1:0")}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(a.listener) }()
	t.Cleanup(func() { s.Close(); <-done })
	return a
}

func (a *app) at() string { return a.listener.Addr().String() }

// open makes a Front that is closed with the test.
func open(t testing.TB) *Front {
	t.Helper()
	f, err := Open(Options{Listen: "127.0.0.1:0", Hold: limit, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// before makes a Front before one generation that is ready.
func before(t testing.TB, a *app) *Front {
	t.Helper()
	f := open(t)
	f.Started(1, a.at())
	f.Ready(1)
	return f
}

func (f *Front) url(path string) string { return "http://" + f.Addr().String() + path }

// dial connects to the front as a client.
func dial(t *testing.T, f *Front) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends text, and returns what comes until the end.
func say(t *testing.T, f *Front, text string) string {
	t.Helper()
	c := dial(t, f)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// client is one whose connections end with the test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: limit}
}

// after returns what is sent on c, or fails.
func after[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Logf("%s: closed", what)
		}
		return v
	case <-time.After(limit):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// TestRequestAsSent: what the app sees of a request.
func TestRequestAsSent(t *testing.T) {
	seen := make(chan string, 2)
	a := speak(t, func(c net.Conn) {
		var head strings.Builder
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if head.WriteString(line); err != nil || line == "\r\n" {
				break
			}
		}
		seen <- head.String()
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	f := before(t, a)
	for name, c := range map[string]struct {
		sent string // after the request line, but Host
		line string // of the request
		has  []string
		not  []string
	}{
		"a target that is not normal": {line: "GET /a%2Fb/../|c?x=1;y=%zz&&z HTTP/1.1", has: []string{"GET /a%2Fb/../|c?x=1;y=%zz&&z HTTP/1.1\r\n"}},
		"two slashes":                 {line: "GET //a/b?c HTTP/1.1", has: []string{"GET //a/b?c HTTP/1.1\r\n"}},
		"an empty query":              {line: "GET /? HTTP/1.1", has: []string{"GET /? HTTP/1.1\r\n"}},
		"for a proxy":                 {line: "GET http://app.test/a?b HTTP/1.1", has: []string{"GET /a?b HTTP/1.1\r\n", "Host: app.test\r\n"}},
		"options of the server":       {line: "OPTIONS * HTTP/1.1", has: []string{"OPTIONS * HTTP/1.1\r\n"}},
		"nothing is added": {
			line: "GET / HTTP/1.1", has: []string{"Host: app.test\r\n"},
			not: []string{"User-Agent", "Accept-Encoding", "Content-Length", "Transfer-Encoding"},
		},
		"who asks": {line: "GET / HTTP/1.1", has: []string{
			"X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Host: app.test\r\n", "X-Forwarded-Proto: http\r\n",
		}},
		"behind another proxy": {
			line: "GET / HTTP/1.1", sent: "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\nForwarded: for=192.0.2.1\r\n",
			has: []string{"X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n", "X-Forwarded-Host: a.example\r\n", "X-Forwarded-Proto: https\r\n", "Forwarded: for=192.0.2.1\r\n"},
		},
		"headers of the hop": {
			line: "GET / HTTP/1.1", sent: "Connection: keep-alive, X-Secret, X-Forwarded-For\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nTE: trailers, deflate\r\nX-Kept: 2\r\n",
			has: []string{"X-Kept: 2\r\n", "X-Forwarded-For: 127.0.0.1", "Te: trailers\r\n"},
			not: []string{"X-Secret", "Keep-Alive", "Proxy-Authorization", "deflate"},
		},
		"no body of a method that must have none": {
			line: "TRACE / HTTP/1.1", has: []string{"TRACE / HTTP/1.1\r\n"}, not: []string{"Transfer-Encoding", "Content-Length"},
		},
		"a body": {
			line: "POST / HTTP/1.1", sent: "Content-Length: 2\r\n", has: []string{"Content-Length: 2\r\n"}, not: []string{"Transfer-Encoding"},
		},
	} {
		body := ""
		if strings.Contains(c.sent, "Content-Length: 2") {
			body = "hi"
		}
		say(t, f, c.line+"\r\nHost: app.test\r\n"+c.sent+"Connection: close\r\n\r\n"+body)
		got := after(t, seen, "the request")
		for _, text := range c.has {
			if !strings.Contains(got, text) {
				t.Errorf("%s: %q is not in\n%s", name, text, got)
			}
		}
		for _, text := range c.not {
			if strings.Contains(got, text) {
				t.Errorf("%s: %q is in\n%s", name, text, got)
			}
		}
	}
}

// TestSmuggling: a request that two servers may read in two ways reaches nobody.
func TestSmuggling(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("the app sees %s %s", r.Method, r.URL) })
	f := before(t, a)
	for _, c := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nGET /a",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
	} {
		if got := say(t, f, c); !strings.HasPrefix(got, "HTTP/1.1 400") && !strings.HasPrefix(got, "HTTP/1.1 501") {
			t.Errorf("%q: %q", c, got)
		}
	}
}

// TestAnswerAsGiven: the client sees what the app has answered, and nothing else.
func TestAnswerAsGiven(t *testing.T) {
	answers := map[string]string{
		"/plain":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nhi",
		"/gzip":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nhi",
		"/hop":     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
		"/trailer": "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
		"/early":   "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\nDate: never\r\n\r\nx",
		"/nothing": "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n",
	}
	want := map[string]string{
		"/hop":     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"/plain":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\nhi",
		"/gzip":    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
		"/trailer": "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
		"/early":   "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\nDate: never\r\nConnection: close\r\n\r\nx",
		"/nothing": "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nConnection: close\r\n\r\n",
	}
	a := answering(t, func(r *http.Request) (string, bool) { return answers[r.URL.Path], true })
	f := before(t, a)
	for path := range answers {
		got := say(t, f, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if got != want[path] {
			t.Errorf("%s:\n got %q\nwant %q", path, got, want[path])
		}
	}
}

// TestSource: what the app sees as the address of its client.
func TestSource(t *testing.T) {
	for _, c := range []struct{ via, at, want string }{
		{"127.0.0.1", "127.0.0.1:3000", ""},
		{"::1", "127.0.0.1:3000", ""},
		{"192.0.2.7", "127.0.0.1:3000", "192.0.2.7:0"},
		{"::ffff:192.0.2.7", "127.0.0.1:3000", "192.0.2.7:0"},
		{"2001:db8::7", "[::1]:3000", "[2001:db8::7]:0"},
		{"2001:db8::7", "127.0.0.1:3000", ""},
		{"192.0.2.7", "[::1]:3000", ""},
		{"192.0.2.7", "localhost:3000", ""},
		{"", "127.0.0.1:3000", ""},
	} {
		via, _ := netip.ParseAddr(c.via)
		got := ""
		if a := source(via, c.at); a != nil {
			got = a.String()
		}
		if got != c.want {
			t.Errorf("by way of %s to %s: %q, want %q", c.via, c.at, got, c.want)
		}
	}
}

// TestClientOfAnAddress: a client that came in on an address which others reach is none of this
// machine to the app, by HTTP and by anything else; and it is told nothing of the project.
func TestClientOfAnAddress(t *testing.T) {
	ip := ownAddress(t)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, peerOf(r), r.Header["X-Forwarded-For"]) })
	f, err := Open(Options{Listen: net.JoinHostPort(ip, "0"), Hold: limit, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.Started(1, a.at())
	f.Ready(1)
	if got := after(t, get(t, f, "GET", "/"), "the answer"); got != fmt.Sprintf("200 %s [%s]%s", ip, ip, fine) {
		t.Errorf("the app sees %q", got)
	}
	if got := after(t, get(t, f, "GET", scriptPath), "the answer"); !strings.HasPrefix(got, "404") {
		t.Errorf("it is told %q", got)
	}
	raw := speak(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); fmt.Fprint(c, c.RemoteAddr().(*net.TCPAddr).IP) })
	f.Stopping(1)
	f.Settle(t.Context(), 1)
	f.Ended(1)
	f.Started(2, raw.at())
	f.Ready(2)
	if got := say(t, f, "\x00"); got != ip {
		t.Errorf("an app that is no HTTP server sees %q", got)
	}
}

// ownAddress is one of this machine that is not loopback; what is sent there does not leave it.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	testneed.Skip(t, "an address", "there is loopback alone")
	return ""
}

// TestUploadFlows: the app has the first part of a body before the second is sent, and its answer
// comes before the end.
func TestUploadFlows(t *testing.T) {
	parts := make(chan string)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		b := make([]byte, 3)
		for range 2 {
			if _, err := io.ReadFull(r.Body, b); err != nil {
				t.Error(err)
			}
			parts <- string(b)
			_, _ = w.Write(bytes.ToUpper(b))
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, r.Trailer.Get("X-Sum"))
	})
	f := before(t, a)
	c := dial(t, f)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n3\r\none\r\n")
	if got := after(t, parts, "the first part"); got != "one" {
		t.Errorf("got %q", got)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "ONE" {
		t.Fatalf("%q, %v", b, err)
	}
	_, _ = io.WriteString(c, "3\r\ntwo\r\n0\r\nX-Sum: 42\r\n\r\n")
	after(t, parts, "the second part")
	if rest, err := io.ReadAll(res.Body); string(rest) != "TWO42" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestLargeUpload: a body that waits for the app is not read, and arrives whole.
func TestLargeUpload(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		fmt.Fprint(w, bytes.Equal(got, body), err, r.ContentLength)
	})
	f := open(t)
	f.Started(1, a.at())
	got := make(chan string, 1)
	go func() {
		res, err := client(t).Post(f.url("/"), "application/octet-stream", bytes.NewReader(body))
		if err != nil {
			got <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		got <- string(b)
	}()
	f.Ready(1)
	if s := after(t, got, "the answer"); s != fmt.Sprint(true, nil, len(body)) {
		t.Errorf("the app got %s", s)
	}
}

// TestH2C: HTTP/2 without TLS goes to the app as HTTP/2, with trailers, as gRPC has it.
func TestH2C(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		b, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Proto, string(b))
		w.Header().Set("Grpc-Status", "0")
	})
	f := before(t, a)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Timeout: limit}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			res, err := c.Post(f.url("/"), "application/grpc", strings.NewReader(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if string(b) != fmt.Sprint("HTTP/2.0", i) || res.Trailer.Get("Grpc-Status") != "0" || err != nil {
				t.Errorf("%q, trailers %v, %v", b, res.Trailer, err)
			}
		})
	}
	all.Wait()
}

// wait tells when a request has come to a handler, and lets it go on.
type wait struct{ in, out chan struct{} }

func newWait() *wait { return &wait{make(chan struct{}), make(chan struct{})} }

func (w *wait) stay(ctx context.Context) {
	select {
	case w.in <- struct{}{}:
	case <-ctx.Done():
	}
	select {
	case <-w.out:
	case <-ctx.Done():
	}
}
