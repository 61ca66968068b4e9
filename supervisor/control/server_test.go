package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/reload"
)

// limit bounds every wait of these tests: only what never comes takes that long.
const limit = 60 * time.Second

// fake is a devguard that counts what is wished of it.
type fake struct {
	*Server
	log *slog.Logger
	out logtest.Buffer // what is shown of the log

	mu                      sync.Mutex
	snap                    reload.Snapshot
	newer                   chan struct{}
	version                 uint64
	restarts, stops, resets int
}

func serve(t testing.TB) *fake { return serveWithin(t, bodyTime) }

func serveWithin(t testing.TB, bodyTime time.Duration) *fake {
	t.Helper()
	return serveAfter(t, Kept{}, bodyTime)
}

// serveNext is the run after one that has kept something.
func serveNext(t testing.TB, kept Kept) *fake {
	t.Helper()
	return serveAfter(t, kept, bodyTime)
}

func serveAfter(t testing.TB, kept Kept, bodyTime time.Duration) *fake {
	t.Helper()
	f := &fake{newer: make(chan struct{}), snap: reload.Snapshot{Version: 3, Gen: 1, GenVersion: 3, PID: 7, Phase: "running", Ready: true, Rest: reload.AtRest, Doing: "idle"}}
	lines := func(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
	j := NewJournal(lines)
	f.log = slog.New(j.Handler(lines(&f.out).Handler()))
	var err error
	f.Server, err = open("127.0.0.1:0", Source{
		About:  About{Name: "shop", PID: 42, Since: time.Unix(1, 2)},
		Latest: f.latest,
		CatchUp: func(context.Context) (uint64, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.version, nil
		},
		Restart:   func(context.Context) error { return f.count(&f.restarts) },
		Stop:      func(context.Context) error { return f.count(&f.stops) },
		Listening: func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")} },
		Sockets: func() Sockets {
			return Sockets{Addresses: []Address{{Address: "127.0.0.1:8080", State: "listening by generation 1", Kind: "listening", Gen: 1}}}
		},
		Databases: func() []Database { return []Database{{Name: "dev@db/shop"}} },
		ResetConnections: func(context.Context) []Reset {
			f.count(&f.resets)
			return []Reset{{Database: "dev@db/shop", Sessions: 2}}
		},
		Journal: j, Kept: kept,
	}, bodyTime)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fake) latest() (reload.Snapshot, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snap, f.newer
}

func (f *fake) publish(change func(*reload.Snapshot)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.snap)
	close(f.newer)
	f.newer = make(chan struct{})
}

func (f *fake) count(n *int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
	return nil
}

func (f *fake) wishes() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d %d %d", f.restarts, f.stops, f.resets)
}

func (f *fake) request(method, path string) *http.Request {
	r, err := http.NewRequest(method, f.URL()+path, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.Token())
	return r
}

// do returns the answer to a request; the connection is not kept.
func do(t testing.TB, r *http.Request) (code int, body string) {
	t.Helper()
	client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestRefused: whatever is not asked by somebody who may, or in another way than it is answered, is
// refused, and changes nothing.
func TestRefused(t *testing.T) {
	f := serve(t)
	port := strings.TrimPrefix(f.URL(), "http://127.0.0.1:")
	large := strings.Repeat("x", maxBody+1)
	for name, c := range map[string]struct {
		method string
		change func(*http.Request)
		code   int
	}{
		"no secret":       {"POST", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"a wrong secret":  {"POST", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("A", 26)) }, 401},
		"a part of it":    {"POST", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+f.Token()[:25]) }, 401},
		"an empty secret": {"POST", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"another scheme":  {"POST", func(r *http.Request) { r.SetBasicAuth("devguard", f.Token()) }, 401},
		"the secret in the URL": {"POST", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "token=" + f.Token()
		}, 401},
		"the secret as a cookie": {"POST", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.AddCookie(&http.Cookie{Name: "token", Value: f.Token()})
		}, 401},
		"a foreign Host":           {"POST", func(r *http.Request) { r.Host = "evil.example:" + port }, 403},
		"a foreign address":        {"POST", func(r *http.Request) { r.Host = "10.0.0.1:" + port }, 403},
		"another port":             {"POST", func(r *http.Request) { r.Host = "127.0.0.1:1" }, 403},
		"no port":                  {"POST", func(r *http.Request) { r.Host = "127.0.0.1" }, 403},
		"localhost as a prefix":    {"POST", func(r *http.Request) { r.Host = "localhost.evil.example:" + port }, 403},
		"a foreign Origin":         {"POST", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		"an Origin of another app": {"POST", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:3000") }, 403},
		"an Origin that is null":   {"POST", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"an empty Origin":          {"POST", func(r *http.Request) { r.Header["Origin"] = []string{""} }, 403},
		"an Origin by https":       {"POST", func(r *http.Request) { r.Header.Set("Origin", "https://127.0.0.1:"+port) }, 403},
		"GET":                      {"GET", func(*http.Request) {}, 405},
		"HEAD":                     {"HEAD", func(*http.Request) {}, 405},
		"PUT":                      {"PUT", func(*http.Request) {}, 405},
		"OPTIONS (a preflight)":    {"OPTIONS", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		"a large body":             {"POST", func(r *http.Request) { setBody(r, large, true) }, 413},
		"a large chunked body":     {"POST", func(r *http.Request) { setBody(r, large, false) }, 413},
	} {
		for _, path := range []string{"/v1/restart", "/v1/stop", "/v1/reset-connections", "/api/debug/reset-db", "/v1/page"} {
			t.Run(name+" "+path, func(t *testing.T) {
				r := f.request(c.method, path)
				c.change(r)
				code, body := do(t, r)
				if code != c.code || strings.Contains(body, f.Token()) {
					t.Errorf("%d %s, want %d", code, body, c.code)
				}
			})
		}
	}
	if got := f.wishes(); got != "0 0 0" {
		t.Errorf("restarts, stops and resets: %s", got)
	}
	if out := f.out.String(); out != "" {
		t.Errorf("it was logged: %s", out)
	}
}

func setBody(r *http.Request, text string, sized bool) {
	r.Body = io.NopCloser(strings.NewReader(text))
	r.ContentLength = -1
	if sized {
		r.ContentLength = int64(len(text))
	}
}

// TestReadsAreRefused: what only reads is refused without the secret, too.
func TestReadsAreRefused(t *testing.T) {
	f := serve(t)
	for _, path := range []string{"/", "/v1/status", "/v1/events", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/nothing"} {
		r := f.request("GET", path)
		r.Header.Del("Authorization")
		if code, _ := do(t, r); code != 401 {
			t.Errorf("%s: %d", path, code)
		}
		r = f.request("GET", path)
		r.Host = "evil.example"
		if code, _ := do(t, r); code != 403 {
			t.Errorf("%s of a foreign Host: %d", path, code)
		}
	}
}

// TestAnswers: what is asked for is answered, under each of the names that lead here.
func TestAnswers(t *testing.T) {
	f := serve(t)
	port := strings.TrimPrefix(f.URL(), "http://127.0.0.1:")
	for i, path := range []string{"/v1/restart", "/v1/stop", "/v1/reset-connections", "/api/debug/reset-db"} {
		r := f.request("POST", path)
		r.Host = []string{"127.0.0.1", "localhost", "[::1]", "127.0.0.1"}[i] + ":" + port
		if i%2 == 0 {
			r.Header.Set("Origin", "http://"+r.Host)
		}
		code, body := do(t, r)
		if code/100 != 2 || i > 1 && !strings.Contains(body, `"sessions":2`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if got := f.wishes(); got != "1 1 2" {
		t.Errorf("restarts, stops and resets: %s", got)
	}
	if code, _ := do(t, f.request("GET", "/debug/pprof/goroutine?debug=1")); code != 200 {
		t.Errorf("pprof: %d", code)
	}
}

// TestStatus: the form of the answer is a promise.
func TestStatus(t *testing.T) {
	f := serve(t)
	f.publish(func(s *reload.Snapshot) {
		s.Hooks = []reload.HookStatus{{Name: "gen", State: "held"}}
		s.Holds = []reload.Hold{{What: "hook gen", Kind: reload.ForGit, Reason: "git"}}
		s.Failures = []reload.Failure{{What: "build", Version: 4, Err: logline.WithHint(errors.New("main.go:3:1: oops"), "mend it"), Detail: logline.Diagnostics{
			Shown: []logline.Diagnostic{{File: "main.go", Line: 3, Col: 1, Msg: "oops"}}, Source: []string{"x := 1"}, Total: 12,
		}}}
	})
	_, body := do(t, f.request("GET", "/v1/status"))
	want := `{"schema":1,` +
		`"devguard":{"name":"shop","pid":42,"version":"","dir":"","runs":"","since":"1970-01-01T00:00:01.000000002Z"},` +
		`"tree":{"version":3,"doing":"idle","rest":"rest"},` +
		`"instance":{"gen":1,"phase":"running","ready":true,"version":3,"pid":7,"listening":["127.0.0.1:8080"]},` +
		`"waits":[{"what":"hook gen","kind":"git","reason":"git"}],` +
		`"failures":[{"what":"build","version":4,"error":"main.go:3:1: oops","hint":"mend it",` +
		`"errors":[{"file":"main.go","line":3,"column":1,"text":"oops","source":"x := 1"}],"total":12}],` +
		`"builds":{"mode":"off","fast":0,"refused":[],"verified":0,"differed":0},"hooks":[{"name":"gen","state":"held"}],` +
		`"sockets":{"addresses":[{"address":"127.0.0.1:8080","state":"listening by generation 1","kind":"listening","gen":1}]},` +
		`"databases":[{"name":"dev@db/shop","paused":false,"spares":0,"sessions":null,"generations":null}],"history":[]}` + "\n"
	if body = strings.Replace(body, time.Unix(1, 2).Format(time.RFC3339Nano), "1970-01-01T00:00:01.000000002Z", 1); body != want {
		t.Errorf("got  %swant %s", body, want)
	}
	var s Status
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Error(err)
	}
}

type byHand string

func (b byHand) ByHand() string { return string(b) }

// TestHookFailure: a hook writes to the terminal, so whoever asks from elsewhere is told where that is.
func TestHookFailure(t *testing.T) {
	err := errors.New("hook gen failed with exit code 1")
	for _, c := range []struct {
		f    reload.Failure
		hint string
	}{
		{reload.Failure{What: "hook gen", Err: err}, "its output is in the terminal of devguard run"},
		{reload.Failure{What: "hook gen", Err: err, Detail: byHand("cd /src && make gen")}, "; to see it here: cd /src && make gen"},
		{reload.Failure{What: "hook gen", Err: err, Detail: byHand("")}, "; to see it here, run the command of hook gen in devguard.toml"},
		{reload.Failure{What: "hook gen", Err: logline.WithHint(err, "install gen")}, "install gen"},
		{reload.Failure{What: "start", Err: err}, ""},
	} {
		hint := failuresOf(reload.Snapshot{Failures: []reload.Failure{c.f}})[0].Hint
		if !strings.Contains(hint, c.hint) || c.hint == "" && hint != "" {
			t.Errorf("%v: hint %q, want %q", c.f, hint, c.hint)
		}
	}
}

// TestSlowBody: a body that does not arrive is refused, and nothing is done before it is there.
func TestSlowBody(t *testing.T) {
	f := serveWithin(t, 200*time.Millisecond)
	conn := dial(t, f)
	fmt.Fprintf(conn, "POST /v1/stop HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\nx",
		strings.TrimPrefix(f.URL(), "http://"), f.Token())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestTimeout || f.wishes() != "0 0 0" {
		t.Errorf("%d, %s", resp.StatusCode, f.wishes())
	}
}

// TestLongAnswer: the time that a request may take does not bound its answer.
func TestLongAnswer(t *testing.T) {
	f := serveWithin(t, 100*time.Millisecond)
	begun := time.Now()
	code, body := do(t, f.request("GET", "/debug/pprof/trace?seconds=1"))
	if took := time.Since(begun); code != 200 || len(body) == 0 || took < time.Second {
		t.Errorf("%d, %d bytes after %v", code, len(body), took)
	}
}

func dial(t *testing.T, f *fake) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestOnlyLoopback: an address that others can reach is refused.
func TestOnlyLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "localhost:0", "10.0.0.1:0", "", "127.0.0.1"} {
		if s, err := Open(addr, Source{}); err == nil || logline.HintOf(err) == "" {
			s.Close()
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// FuzzRequest: whatever arrives, the server goes on, and without the secret nothing happens. The
// files of the page are all that is answered.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"))
	f.Add([]byte("POST /v1/stop HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Bearer x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("POST //v1/stop/../restart HTTP/1.0\r\nHost: [::1]:1\r\nOrigin: null\r\nContent-Length: 9999999999\r\n\r\n"))
	f.Add([]byte("GET /page/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n"))
	f.Add([]byte("POST /v1/page/enter HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Code x\r\n\r\n"))
	f.Add([]byte("\x16\x03\x01\x00\x05hello"))
	d := serve(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte(d.Token())) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return // net/http answers that
		}
		w := &answered{header: http.Header{}}
		d.http.Handler.ServeHTTP(w, r)
		_, file := pageFile(r)
		page := w.code == 0 && file != nil && w.body.String() == string(file)
		if w.code != 401 && w.code != 403 && !page || strings.Contains(w.body.String(), d.Token()) || d.wishes() != "0 0 0" {
			t.Errorf("%d %s, %s", w.code, w.body.String(), d.wishes())
		}
	})
}

// answered is a http.ResponseWriter.
type answered struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answered) WriteHeader(code int)        { a.code = code }
