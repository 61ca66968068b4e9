package front

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// get asks in the background.
func get(t *testing.T, f *Front, method, path string) <-chan string {
	t.Helper()
	got := make(chan string, 1)
	c := client(t)
	go func() {
		req, _ := http.NewRequest(method, f.url(path), nil)
		res, err := c.Do(req)
		if err != nil {
			got <- err.Error()
			return
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		got <- fmt.Sprint(res.StatusCode, " ", string(b), err)
	}()
	return got
}

const fine = "<nil>" // what get says of no error

// TestSwap: a request in flight is answered before Settle returns, one that comes meanwhile waits,
// and the next generation has it.
func TestSwap(t *testing.T) {
	w := newWait()
	one := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		w.stay(r.Context())
		fmt.Fprint(rw, "one ", r.URL.Path)
	})
	two := serve(t, func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "two ", r.URL.Path) })
	f := before(t, one)
	first := get(t, f, "POST", "/first")
	after(t, w.in, "the first request")
	f.Stopping(1)
	second := get(t, f, "POST", "/second")
	settled := make(chan struct{})
	go func() { defer close(settled); f.Settle(t.Context(), 1) }()
	select {
	case <-settled:
		t.Error("settled while a request is unanswered")
	case <-second:
		t.Error("the second request was answered by nobody")
	case w.out <- struct{}{}:
	}
	if got := after(t, first, "the first answer"); got != "200 one /first"+fine {
		t.Errorf("got %q", got)
	}
	after(t, settled, "Settle")
	f.Ended(1)
	f.Started(2, two.at())
	f.Ready(2)
	if got := after(t, second, "the second answer"); got != "200 two /second"+fine {
		t.Errorf("got %q", got)
	}
}

// TestSettleEnds: by its context, and at once where only a stream is left.
func TestSettleEnds(t *testing.T) {
	w := newWait()
	a := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_ = http.NewResponseController(rw).Flush()
		}
		w.stay(r.Context())
	})
	f := before(t, a)
	stream := get(t, f, "GET", "/stream")
	after(t, w.in, "the stream")
	f.Stopping(1)
	f.Settle(context.Background(), 1)
	f.EndStreams(1)
	if got := after(t, stream, "the end of the stream"); got != "200 "+fine {
		t.Errorf("got %q", got)
	}

	b := serve(t, func(rw http.ResponseWriter, r *http.Request) { w.stay(r.Context()) })
	f = before(t, b)
	get(t, f, "GET", "/slow")
	after(t, w.in, "the request")
	f.Stopping(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	f.Settle(ctx, 1)
	if ctx.Err() == nil {
		t.Error("settled while a request is unanswered")
	}
}

// TestLongPolls: what a stop does not wait for all its time are requests that only read.
func TestLongPolls(t *testing.T) {
	w := newWait()
	a := serve(t, func(_ http.ResponseWriter, r *http.Request) { w.stay(r.Context()) })
	for method, limited := range map[string]bool{"GET": true, "HEAD": true, "POST": false, "PUT": false, "DELETE": false} {
		f := before(t, a)
		get(t, f, method, "/slow")
		after(t, w.in, "the request")
		if n, look := f.passage.unanswered(1, time.Now().Add(time.Hour)); n != 1 || look.IsZero() == limited {
			t.Errorf("%s: %d are unanswered, until %v", method, n, look)
		}
		w.out <- struct{}{}
	}
}

// TestSentOnce: an app that ends the connection after it has read a request sees no other, whatever
// the method, on a used connection too.
func TestSentOnce(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			seen := make(chan string, 10)
			a := answering(t, func(r *http.Request) (string, bool) {
				if r.URL.Path == "/die" {
					seen <- r.Method
					return "", false
				}
				return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true
			})
			f := before(t, a)
			if got := after(t, get(t, f, "GET", "/"), "the first answer"); got != "200 ok"+fine {
				t.Fatalf("got %q", got)
			}
			got := after(t, get(t, f, method, "/die"), "the second answer")
			if !strings.HasPrefix(got, "502 devguard: the app has ended the connection without an answer\n") {
				t.Errorf("got %q", got)
			}
			after(t, seen, "the request")
			select {
			case <-seen:
				t.Error("it was sent twice")
			default:
			}
		})
	}
}

// TestRefusedThenTaken: a request that finds no listener is sent once there is one.
func TestRefusedThenTaken(t *testing.T) {
	l := listenAs(t, "127.0.0.1:0")
	at := l.Addr().String()
	l.Close()
	f := open(t)
	f.Started(1, at)
	f.Ready(1)
	got := get(t, f, "POST", "/")
	again := listenAs(t, at)
	go func() {
		_ = http.Serve(again, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	}()
	if s := after(t, got, "the answer"); s != "200 ok"+fine {
		t.Errorf("got %q", s)
	}
}

// TestBodyIsKept: a request with a body that finds no listener is sent whole once there is one.
func TestBodyIsKept(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	f := open(t)
	tries := 0
	f.passage.started(newUpstream(1, func(netip.AddrPort) (netip.AddrPort, bool) { // of one request, so of one goroutine at a time
		tries++
		return netip.MustParseAddrPort(a.at()), tries > 1
	}, nil))
	f.Ready(1)
	res, err := client(t).Post(f.url("/"), "text/plain", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); string(b) != "a body" || err != nil || tries != 2 {
		t.Errorf("%q, %v, after %d tries", b, err, tries)
	}
}

// TestSecondAddress: an app that listens on ::1 alone is found.
func TestSecondAddress(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	gone := listenAs(t, "127.0.0.1:0")
	at := gone.Addr().String()
	gone.Close()
	f := open(t)
	f.Started(1, at, a.at())
	f.Ready(1)
	if s := after(t, get(t, f, "GET", "/"), "the answer"); s != "200 ok"+fine {
		t.Errorf("got %q", s)
	}
}

// TestDown: who asks while the app is down is told so, as text or JSON.
func TestDown(t *testing.T) {
	f := open(t)
	waits := get(t, f, "GET", "/")
	f.Idle("the build failed\nmain.go:3:1: expected }")
	if got := after(t, waits, "the answer"); got != "503 devguard: the app does not run\nthe build failed\nmain.go:3:1: expected }\n"+fine {
		t.Errorf("got %q", got)
	}
	req, _ := http.NewRequest("GET", f.url("/"), nil)
	req.Header.Set("Accept", "application/json")
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var told map[string]string
	if err := json.NewDecoder(res.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(told["detail"], "main.go:3:1") {
		t.Errorf("status %d, %v, %v", res.StatusCode, res.Header, told)
	}
}

// TestEventStream: events come as they are sent, and the end of the app is the end of the stream.
func TestEventStream(t *testing.T) {
	a, conns := begin(t, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
	f := before(t, a)
	res, err := client(t).Get(f.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, b); err != nil {
		t.Fatal(err)
	}
	reset(after(t, conns, "the connection").(*net.TCPConn))
	if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestBrokenDownload: what the app did not finish is not taken for whole.
func TestBrokenDownload(t *testing.T) {
	a := answering(t, func(*http.Request) (string, bool) {
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false
	})
	f := before(t, a)
	res, err := client(t).Get(f.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%q came without an error", b)
	}
}

// TestWrongUpgrade: an app that switches to another protocol than was asked for is given up.
func TestWrongUpgrade(t *testing.T) {
	ended := make(chan struct{})
	a := speak(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
		close(ended)
	})
	f := before(t, a)
	got := say(t, f, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 502") {
		t.Errorf("%q", got)
	}
	after(t, ended, "the end of the app's connection")
	f.Stopping(1)
	f.Settle(t.Context(), 1)
}

// TestClientGoes: a client that goes while its request waits, or is answered, leaves nothing
// behind.
func TestClientGoes(t *testing.T) {
	w := newWait()
	gone := make(chan struct{})
	a := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		w.stay(r.Context())
		close(gone)
	})
	f := before(t, a)
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", f.url("/"), nil)
	done := make(chan error, 1)
	go func() { _, err := client(t).Do(req); done <- err }()
	after(t, w.in, "the request")
	leave()
	after(t, done, "the client's end")
	after(t, gone, "the end of the request at the app")
	f.Stopping(1)
	f.Settle(t.Context(), 1)
}

// TestWebsocket: frames pass both ways, and a websocket that the app leaves open is closed with
// 1012.
func TestWebsocket(t *testing.T) {
	for name, row := range map[string]struct {
		end  func(f *Front, app net.Conn)
		want string
	}{
		"the app is reset":      {func(_ *Front, app net.Conn) { reset(app.(*net.TCPConn)) }, string(serviceRestart)},
		"the app ends":          {func(_ *Front, app net.Conn) { app.Close() }, string(serviceRestart)},
		"it is ended by us":     {func(f *Front, _ net.Conn) { f.EndStreams(1) }, string(serviceRestart)},
		"it closes it itself":   {func(_ *Front, app net.Conn) { _, _ = app.Write(frame(8, []byte{3, 233})); app.Close() }, string(frame(8, []byte{3, 233}))},
		"it dies in the middle": {func(_ *Front, app net.Conn) { _, _ = app.Write([]byte{0x81, 5, 'h'}); app.Close() }, "\x81\x05h"},
	} {
		t.Run(name, func(t *testing.T) {
			a, conns := begin(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			f := before(t, a)
			c := dial(t, f)
			_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			r := bufio.NewReader(c)
			if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
				t.Fatal(res, err)
			}
			app := after(t, conns, "the connection")
			_, _ = app.Write(frame(1, []byte("down")))
			down := make([]byte, 6)
			if _, err := io.ReadFull(r, down); err != nil || string(down) != string(frame(1, []byte("down"))) {
				t.Fatalf("%q, %v", down, err)
			}
			_, _ = io.WriteString(c, "up")
			up := make([]byte, 2)
			if _, err := io.ReadFull(app, up); err != nil || string(up) != "up" {
				t.Fatalf("%q, %v", up, err)
			}
			f.Stopping(1)
			f.Settle(t.Context(), 1)
			row.end(f, app)
			rest, err := io.ReadAll(r)
			if string(rest) != row.want || err != nil {
				t.Errorf("%q, %v; want %q", rest, err, row.want)
			}
		})
	}
}
