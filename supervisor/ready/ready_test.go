package ready

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// noGoroutines fails when more goroutines than before are left, after a while.
func noGoroutines(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		deadline := time.After(10 * time.Second)
		for runtime.NumGoroutine() > before {
			select {
			case <-tick.C:
			case <-deadline:
				t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				return
			}
		}
	})
}

// listen opens a listener, closed with the test.
func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if strings.Contains(addr, "[") {
			testneed.Skip(t, "ipv6", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve answers on the listener until the test ends.
func serve(t *testing.T, l net.Listener, h http.HandlerFunc) {
	t.Helper()
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
}

func addrOf(l net.Listener) netip.AddrPort {
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// target listens on what it is given.
func target(addrs ...netip.AddrPort) Target {
	return Target{Listening: func() []netip.AddrPort { return addrs }, Started: time.Now()}
}

func ok(w http.ResponseWriter, r *http.Request) {
	if r.URL.RequestURI() != "/healthz?full=1" {
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestHTTPPathOnEveryKindOfSocket(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "127.0.0.2:0", "[::1]:0", "[::]:0", ":0"} {
		t.Run(addr, func(t *testing.T) {
			noGoroutines(t)
			l := listen(t, addr)
			serve(t, l, ok)
			got, err := Wait(t.Context(), Rule{HTTP: "/healthz?full=1"}, target(addrOf(l)))
			if err != nil || got.Rule != "http" || !strings.HasPrefix(got.Awaited, "GET /healthz?full=1 on ") || got.Took <= 0 {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

// A socket on :: of which only IPv4 works, and one mapped into IPv6.
func TestHTTPPathOnIPv4BehindIPv6(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(t, l, ok)
	for _, ip := range []string{"::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), addrOf(l).Port())
		if _, err := Wait(t.Context(), Rule{HTTP: "/healthz?full=1", Timeout: 20 * time.Second}, target(at)); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	tests := map[string]struct {
		status     int
		last, hint string // ready when last is empty
	}{
		"200": {status: 200},
		"204": {status: 204},
		"302": {status: 302},
		"404": {status: 404, last: "status 404 Not Found", hint: "not to this path"},
		"401": {status: 401, last: "status 401 Unauthorized", hint: "needs a login"},
		"503": {status: 503, last: "status 503 Service Unavailable", hint: "its own log"},
		"599": {status: 599, last: "status 599", hint: "its own log"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noGoroutines(t)
			var followed atomic.Bool
			l := listen(t, "127.0.0.1:0")
			serve(t, l, func(w http.ResponseWriter, r *http.Request) {
				followed.CompareAndSwap(false, r.URL.Path == "/elsewhere")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
			})
			limit := unmet
			if tt.last == "" {
				limit = 10 * time.Second
			}
			_, err := Wait(t.Context(), Rule{HTTP: "/healthz", Timeout: limit}, target(addrOf(l)))
			checkTimeout(t, err, "GET /healthz on "+l.Addr().String(), tt.last, tt.hint)
			if followed.Load() {
				t.Error("followed a redirect")
			}
		})
	}
}

// unmet is the timeout of rules that are never met: long enough for one look on a busy machine.
const unmet = 1500 * time.Millisecond

// checkTimeout checks a TimeoutError; an empty last means no error.
func checkTimeout(t *testing.T, err error, awaited, last, hint string) {
	t.Helper()
	if last == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var te *TimeoutError
	if !errors.As(err, &te) {
		t.Fatalf("%v, want a TimeoutError", err)
	}
	if te.Awaited != awaited || te.Last != last || !strings.Contains(te.Hint(), hint) || hint == "" && te.Hint() != "" {
		t.Errorf("awaited %q last %q hint %q", te.Awaited, te.Last, te.Hint())
	}
	if !strings.Contains(te.Error(), awaited) || !strings.Contains(te.Error(), last) {
		t.Errorf("error %q", te)
	}
}

func TestHTTPBecomesReady(t *testing.T) {
	noGoroutines(t)
	l := listen(t, "127.0.0.1:0")
	var asked, looked atomic.Int32
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 20 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	tg := Target{Started: time.Now(), Listening: func() []netip.AddrPort {
		if looked.Add(1) < 20 {
			return nil
		}
		return []netip.AddrPort{addrOf(l)}
	}}
	got, err := Wait(t.Context(), Rule{HTTP: "/"}, tg)
	// 38 looks of at least a millisecond. A generous bound: the machine is busy.
	if err != nil || asked.Load() != 20 || got.Took < 38*time.Millisecond || got.Took > 5*time.Second {
		t.Errorf("%+v %v, asked %d times", got, err, asked.Load())
	}
}

// A metrics port that opens later is not asked; when the first is gone, it is.
func TestHTTPAsksTheFirstSocket(t *testing.T) {
	first, second := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	both := []netip.AddrPort{second, first}
	for _, tt := range []struct{ first, now, want []netip.AddrPort }{
		{nil, both, both},
		{[]netip.AddrPort{first}, both, []netip.AddrPort{first}},
		{[]netip.AddrPort{first}, []netip.AddrPort{second}, []netip.AddrPort{second}},
	} {
		got := firstSockets(tt.first, tt.now)
		if len(got) != len(tt.want) || got[0] != tt.want[0] {
			t.Errorf("%v of %v: %v", tt.first, tt.now, got)
		}
	}
}

// Two sockets seen at once have no order that means anything: any may answer.
func TestHTTPAsksAllThatAreFirst(t *testing.T) {
	noGoroutines(t)
	metrics, app := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	serve(t, metrics, http.NotFound)
	serve(t, app, ok)
	if _, err := Wait(t.Context(), Rule{HTTP: "/healthz?full=1", Timeout: 20 * time.Second}, target(addrOf(metrics), addrOf(app))); err != nil {
		t.Error(err)
	}
}

func TestHTTPOfABusyServer(t *testing.T) {
	noGoroutines(t)
	l := listen(t, "127.0.0.1:0") // accepts in the kernel, answers never
	_, err := Wait(t.Context(), Rule{HTTP: "/healthz", Timeout: unmet}, target(addrOf(l)))
	checkTimeout(t, err, "GET /healthz on "+l.Addr().String(), "no answer", "")
}

func TestHTTPURL(t *testing.T) {
	noGoroutines(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	plain := httptest.NewServer(http.HandlerFunc(ok))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())

	for _, u := range []string{plain.URL, secure.URL, "https://localhost:" + port, "HTTPS://LOCALHOST:" + port} {
		got, err := Wait(t.Context(), Rule{HTTP: u + "/healthz?full=1", Timeout: 20 * time.Second}, target())
		if err != nil || got.Rule != "http" {
			t.Errorf("%s: %+v %v", u, got, err)
		}
	}
	for u, want := range map[string]struct{ last, hint, advised string }{
		"https://" + plain.Listener.Addr().String(): {"the server does not speak TLS", "write http:// instead of https:// in ready.http", plain.URL},
		"http://" + secure.Listener.Addr().String(): {"status 400 Bad Request",
			"if the server speaks TLS, write the full https:// URL in ready.http", secure.URL},
		"http://u:secret@127.0.0.1:" + closedPort(t): {"connection refused", "", plain.URL},
	} {
		_, err := Wait(t.Context(), Rule{HTTP: u, Timeout: unmet}, target())
		var te *TimeoutError
		if !errors.As(err, &te) || te.Last != want.last || te.Hint() != want.hint || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", u, err)
		}
		if _, err := Wait(t.Context(), Rule{HTTP: want.advised + "/healthz?full=1", Timeout: 20 * time.Second}, target()); err != nil {
			t.Errorf("as advised, %s: %v", want.advised, err)
		}
	}
}

// A certificate is checked unless the name itself says loopback.
func TestHTTPCertificate(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "127.1.2.3": true, "::1": true, "localhost": true,
		"10.0.0.1": false, "example.com": false, "localhost.example.com": false, "": false} {
		if got := isLoopback(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	name, err := os.Hostname()
	if err != nil {
		testneed.Skip(t, "hostname", err)
	}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	secure.Listener.Close()
	secure.Listener = listen(t, ":0")
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	if c, err := net.Dial("tcp", net.JoinHostPort(name, port)); err != nil {
		testneed.Skip(t, "hostname", err)
	} else {
		c.Close()
	}
	_, err = Wait(t.Context(), Rule{HTTP: "https://" + net.JoinHostPort(name, port), Timeout: unmet}, target())
	var te *TimeoutError
	if !errors.As(err, &te) || !strings.Contains(te.Last, "certificate") {
		t.Errorf("%v", err)
	}
}

// closedPort is a port that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestTCP(t *testing.T) {
	noGoroutines(t)
	l := listen(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, addr := range []string{l.Addr().String(), ":" + port, port, "localhost:" + port} {
		got, err := Wait(t.Context(), Rule{TCP: addr, Timeout: 20 * time.Second}, target())
		if err != nil || got.Rule != "tcp" || got.Awaited == "" {
			t.Errorf("%s: %+v %v", addr, got, err)
		}
	}
	closed := "127.0.0.1:" + closedPort(t)
	_, err := Wait(t.Context(), Rule{TCP: closed, Timeout: unmet}, target())
	checkTimeout(t, err, "a TCP connect to "+closed, "connection refused", "")
}

func TestRulesThatCannotBeMet(t *testing.T) {
	for name, tt := range map[string]struct {
		rule Rule
		want string
	}{
		"no slash":  {Rule{HTTP: "healthz"}, `write a path that starts with /`},
		"no host":   {Rule{HTTP: "http:///healthz"}, `write a path`},
		"scheme":    {Rule{HTTP: "ftp://u:secret@x/"}, `write a path`},
		"two //":    {Rule{HTTP: "//x/y"}, `write a path`},
		"bad URL":   {Rule{HTTP: "http://u:secret@[::1/"}, `is not a URL`},
		"no port":   {Rule{TCP: "localhost"}, `write host:port`},
		"bad port":  {Rule{TCP: "localhost:http-but-not"}, `no TCP port`},
		"high port": {Rule{TCP: "70000"}, `no TCP port`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Wait(t.Context(), tt.rule, target())
			if err == nil || !strings.Contains(logtest.Text(err), tt.want) || strings.Contains(logtest.Text(err), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDefaultListening(t *testing.T) {
	noGoroutines(t)
	var looked atomic.Int32
	tg := Target{Listening: func() []netip.AddrPort {
		if looked.Add(1) < 3 {
			return nil
		}
		return []netip.AddrPort{netip.MustParseAddrPort("[::ffff:127.0.0.1]:8080")}
	}}
	got, err := Wait(t.Context(), Rule{}, tg)
	if err != nil || got.Rule != "listening" || got.Awaited != "a listening socket: 127.0.0.1:8080" || got.Took >= DefaultAlive {
		t.Errorf("%+v %v", got, err)
	}
}

func TestDefaultAlive(t *testing.T) {
	noGoroutines(t)
	got, err := Wait(t.Context(), Rule{}, target())
	if err != nil || got.Rule != "alive" || got.Took < DefaultAlive || got.Took > 5*time.Second {
		t.Errorf("%+v %v", got, err)
	}
}

// The socket that opened while nobody looked counts, not the second that passed.
func TestDefaultAsksOnceMoreAfterTheSecond(t *testing.T) {
	tg := target(netip.MustParseAddrPort("127.0.0.1:8080"))
	tg.Started = time.Now().Add(-time.Minute)
	got, err := Wait(t.Context(), Rule{Timeout: 2 * time.Minute}, tg)
	if err != nil || got.Rule != "listening" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestExitEndsTheWait(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	for name, rule := range map[string]Rule{
		"default":       {},
		"tcp":           {TCP: "127.0.0.1:" + closedPort(t)},
		"http, no port": {HTTP: "http://127.0.0.1:" + closedPort(t)},
		"http, hanging": {HTTP: "http://" + l.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			noGoroutines(t)
			exited := make(chan struct{})
			tg := target()
			tg.Exited = exited
			defer time.AfterFunc(50*time.Millisecond, func() { close(exited) }).Stop()
			_, err := Wait(t.Context(), rule, tg)
			if took := time.Since(tg.Started); !errors.Is(err, ErrExited) || took > 900*time.Millisecond {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}

// Somebody else's server on the port is not the app that has already ended.
func TestExitWinsOverAnAnswer(t *testing.T) {
	noGoroutines(t)
	exited := make(chan struct{})
	close(exited)
	l := listen(t, "127.0.0.1:0")
	served := make(chan struct{})
	serve(t, l, func(http.ResponseWriter, *http.Request) {
		<-served
	})
	defer close(served)
	tg := target()
	tg.Exited = exited
	if _, err := Wait(t.Context(), Rule{HTTP: "http://" + l.Addr().String()}, tg); !errors.Is(err, ErrExited) {
		t.Error(err)
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	noGoroutines(t)
	why := errors.New("a newer change")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer time.AfterFunc(20*time.Millisecond, func() { cancel(why) }).Stop()
	if _, err := Wait(ctx, Rule{HTTP: "/"}, target()); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestStep(t *testing.T) {
	for _, tt := range []struct{ waited, cost, want time.Duration }{
		{0, 0, time.Millisecond},
		{50 * time.Millisecond, 100 * time.Microsecond, time.Millisecond},
		{time.Second, 0, 20 * time.Millisecond},
		{time.Minute, 0, 100 * time.Millisecond},
		{0, 4 * time.Millisecond, 12 * time.Millisecond},
		{0, time.Second, 100 * time.Millisecond},
	} {
		if got := step(tt.waited, tt.cost); got != tt.want {
			t.Errorf("%v %v: %v, want %v", tt.waited, tt.cost, got, tt.want)
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"/healthz", "http://x", "//x", "https://u:secretpw@x:1/y?z#f", "http://[::1", "\x00", ":8080", "8080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := newHTTPCheck(s, Target{}); err == nil && c.url.Host == "" && !strings.HasPrefix(s, "/") {
			t.Errorf("%q accepted as %v", s, c.url)
		}
		if c, err := newTCPCheck(s, Target{}); err == nil {
			if _, _, err := net.SplitHostPort(c.addr); err != nil {
				t.Errorf("%q accepted as %q", s, c.addr)
			}
		}
	})
}

// TestDial: the rule's address is what the instance sees of a request, wherever it is reached.
func TestDial(t *testing.T) {
	noGoroutines(t)
	host := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { host <- r.Host }))
	defer srv.Close()
	asked := ""
	tg := Target{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = addr
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	for _, rule := range []Rule{{TCP: "127.0.0.1:1"}, {HTTP: "http://127.0.0.1:1/x"}} {
		if _, err := Wait(t.Context(), rule, tg); err != nil || asked != "127.0.0.1:1" {
			t.Errorf("%+v: asked %q, %v", rule, asked, err)
		}
		asked = ""
	}
	if got := <-host; got != "127.0.0.1:1" {
		t.Errorf("the instance is asked as %q", got)
	}
}

// TestAlive: how long a silent instance has to live may be longer.
func TestAlive(t *testing.T) {
	noGoroutines(t)
	tg := Target{Listening: func() []netip.AddrPort { return nil }, Alive: 10 * time.Millisecond}
	if got, err := Wait(t.Context(), Rule{}, tg); err != nil || got.Rule != "alive" || got.Took < tg.Alive || got.Took >= DefaultAlive {
		t.Errorf("%+v, %v", got, err)
	}
	tg.Alive = time.Minute
	if got, err := Wait(t.Context(), Rule{Timeout: 10 * time.Millisecond}, tg); err == nil {
		t.Errorf("%+v", got)
	}
}
