package e2e_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// streaming is a server that stops as net/http tells, and waits for whoever is connected. What asks
// for /slow gets its answer 3 s after the signal.
const streaming = `package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const version = "v0"

var (
	waiting atomic.Int64
	echoing sync.WaitGroup
)

func main() {
	signals, release := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM)
	flush := func(w http.ResponseWriter) { w.(http.Flusher).Flush() }
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version) })
	http.HandleFunc("/waiting", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, waiting.Load()) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		select {
		case <-release:
			fmt.Fprint(w, "slow")
		case <-r.Context().Done():
		}
	})
	http.HandleFunc("/quiet", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: first\n\n")
		flush(w)
		<-r.Context().Done()
	})
	http.HandleFunc("/ticks", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: tick\n\n")
			flush(w)
			time.Sleep(20 * time.Millisecond)
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, buf, err := w.(http.Hijacker).Hijack()
		check(err)
		echoing.Add(1)
		defer echoing.Done()
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, buf)
	})
	http.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		piece := func() {
			fmt.Fprint(w, strings.Repeat("x", 2000))
			flush(w)
			time.Sleep(20 * time.Millisecond)
		}
		waiting.Add(1)
		for asked := false; !asked; {
			piece()
			select {
			case <-stopping:
				asked = true
			default:
			}
		}
		for range 20 { // 400 ms
			piece()
		}
		fmt.Fprint(w, "end")
	})
	db, err := net.Dial("tcp", os.Getenv("DB"))
	check(err)
	fmt.Fprintln(db, "hello")
	back := bufio.NewReader(db)
	back.ReadString('\n')
	srv := &http.Server{Addr: os.Getenv("ADDR")}
	secure := &http.Server{Addr: os.Getenv("TLS"), TLSNextProto: noHTTP2}
	go func() { check(secure.ListenAndServeTLS("cert.pem", "key.pem")) }()
	go func() { check(srv.ListenAndServe()) }()
	<-signals
	check(os.WriteFile(os.Getenv("SIGNALLED"), []byte(time.Now().Format(time.RFC3339Nano)), 0o600))
	close(stopping)
	time.AfterFunc(3*time.Second, func() { close(release) })
	done := make(chan struct{})
	go func() { secure.Shutdown(context.Background()); close(done) }()
	srv.Shutdown(context.Background())
	<-done
	echoing.Wait()
	fmt.Fprintln(db, "bye")
	if answer, err := back.ReadString('\n'); answer != "bye\n" {
		fmt.Println("the database is gone:", answer, err)
		os.Exit(3)
	}
}

func check(err error) {
	if err != nil && err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
}
`

const streamingTLS = `package main

import (
	"crypto/tls"
	"net/http"
)

var (
	stopping  = make(chan struct{})
	noHTTP2 = map[string]func(*http.Server, *tls.Conn, http.Handler){}
)
`

// streams is the app of TestHangUp under devguard, and a database to which it is connected.
type streams struct {
	*devguard
	dir, addr, secure string
	signalled         string // a file, with the time of the stop signal
}

// runStreams runs the app. It has more files than its own: they come in their place.
func runStreams(t *testing.T, app string, more ...map[string]string) streams {
	t.Helper()
	db, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	go echoLines(db)
	cert, key := certificate(t)
	s := streams{addr: "127.0.0.1:" + freePort(t), secure: "127.0.0.1:" + freePort(t), signalled: filepath.Join(t.TempDir(), "signalled")}
	files := map[string]string{"main.go": streaming, "tls.go": streamingTLS, "cert.pem": cert, "key.pem": key, "devguard.toml": "[app]\n" + app}
	for _, m := range more {
		maps.Copy(files, m)
	}
	s.dir = project(t, files)
	s.devguard = run(t, s.dir, []string{"ADDR=" + s.addr, "TLS=" + s.secure, "DB=" + db.Addr().String(), "SIGNALLED=" + s.signalled})
	s.serves("http://"+s.addr, "v0")
	if !poll(limit, func() bool { return !refuses(s.secure) }) {
		t.Fatal("no TLS")
	}
	return s
}

// echoLines is a database of one command.
func echoLines(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go io.Copy(c, c)
	}
}

// restart saves, and returns how the first generation has ended, how long that took, and how many
// connections were hung up on.
func (s streams) restart() (exited line, took time.Duration, hungUp int) {
	s.t.Helper()
	mark := s.mark()
	edit(s.t, filepath.Join(s.dir, "main.go"), `"v0"`, `"v1"`)
	stopping := s.wait(mark, "instance stopping", nil)
	exited = s.wait(mark, "instance exited", nil)
	s.wait(mark, "instance started", nil)
	for _, l := range s.since(mark) {
		if l.Msg == "instance stopping" && l.int("hung_up") > 0 {
			hungUp = l.int("hung_up")
		}
	}
	return exited, exited.time(s.t).Sub(stopping.time(s.t)), hungUp
}

// time is when the line was written.
func (l line) time(t *testing.T) time.Time {
	at, err := time.Parse(time.RFC3339Nano, l.str("time"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// certificate returns one for this machine, and its key, as PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	pair := srv.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("CERTIFICATE", pair.Certificate[0]), text("PRIVATE KEY", private)
}

// request makes a request on a connection of its own and returns when the first byte of the answer is
// there.
func request(t *testing.T, addr, path string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * limit))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	r := bufio.NewReader(c)
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	return c, r
}

// TestHangUp: streams, kept connections and those that were opened ahead do not hold a graceful stop
// up. Without it they take the whole grace.
func TestHangUp(t *testing.T) {
	for _, row := range []struct{ hangUp, grace string }{{"50ms", "2m"}, {"off", "2s"}} {
		t.Run(row.hangUp, func(t *testing.T) {
			t.Parallel()
			s := runStreams(t, fmt.Sprintf("grace = %q\nhang_up = %q\n", row.grace, row.hangUp))
			const each = 3
			for range each {
				request(t, s.addr, "/quiet")
				request(t, s.addr, "/ticks")
				request(t, s.addr, "/") // kept alive
				ahead, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer ahead.Close()
			}
			exited, took, hungUp := s.restart()
			t.Logf("%d streams of each kind: stopped in %v, %d hung up on", each, took, hungUp)
			if row.hangUp == "off" {
				if exited.str("signal") != "SIGKILL" || hungUp != 0 {
					t.Errorf("the control shows nothing: %s", exited.Raw)
				}
			} else if exited.int("code") != 0 || hungUp < 2*each { // net/http closes the kept ones itself, and after 5 s those opened ahead
				t.Errorf("%s\n%s", exited.Raw, s.log())
			}
			s.serves("http://"+s.addr, "v1")
			s.stop()
		})
	}
}

// TestHangUpSoon: what an open connection of each kind has to wait for after the stop signal. Those that
// say nothing and are younger than 2 s are left alone until then.
func TestHangUpSoon(t *testing.T) {
	t.Parallel()
	soon, late := 30*time.Second, 30*time.Second // the machine may be busy; whoever waits for the app waits for 2 minutes
	if *campaign {
		soon, late = 250*time.Millisecond, 2200*time.Millisecond
	}
	s := runStreams(t, "grace = '2m'\n")
	ended := newEnds()
	old, r := request(t, s.addr, "/quiet")
	ended.of("quiet", old, r)
	silent, r := upgrade(t, s.addr)
	ended.of("websocket, quiet", silent, r)
	ticking, r := request(t, s.addr, "/ticks")
	for began := time.Now(); time.Since(began) < 2100*time.Millisecond; {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	ended.of("ticks", ticking, r)
	ahead, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	ended.of("opened ahead", ahead, bufio.NewReader(ahead))
	ticking, r = request(t, s.addr, "/ticks")
	ended.of("ticks, young", ticking, r)
	talking, r := upgrade(t, s.addr)
	go chat(talking)
	ended.of("websocket, talks", talking, r)
	young, r := request(t, s.addr, "/quiet")
	ended.of("quiet, young", young, r)
	s.restart()
	signal := stamped(t, s.signalled)
	for kind, at := range ended.wait() {
		took, limit := at.Sub(signal), soon
		if kind == "quiet, young" {
			limit = late
		}
		t.Logf("%s: ended %v after the signal", kind, took.Round(time.Millisecond))
		if took > limit || took < 25*time.Millisecond && kind != "opened ahead" { // net/http closes that after 5 s
			t.Errorf("%s: ended %v after the signal, want between 25 ms and %v", kind, took, limit)
		}
	}
	s.serves("http://"+s.addr, "v1")
	s.stop()
}

// ends are when connections have ended, by their kinds.
type ends struct {
	mu      sync.Mutex
	at      map[string]time.Time
	reading sync.WaitGroup
}

func newEnds() *ends { return &ends{at: map[string]time.Time{}} }

// of reads a connection to its end.
func (e *ends) of(kind string, c net.Conn, r io.Reader) {
	e.reading.Go(func() {
		defer c.Close()
		io.Copy(io.Discard, r)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.at[kind] = time.Now()
	})
}

func (e *ends) wait() map[string]time.Time {
	e.reading.Wait()
	return e.at
}

// upgrade opens a connection that echoes, and waits for what goes before.
func upgrade(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, r := request(t, addr, "/echo")
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c, r
}

// chat says something 20 times a second until that fails.
func chat(c net.Conn) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			return
		}
		<-tick.C
	}
}

// TestHangUpLeavesRequests: a request that has no answer yet gets it, on a fresh connection, on one
// that was used before, and over TLS; a download that has begun is finished; and the app's own
// connections are left to it.
func TestHangUpLeavesRequests(t *testing.T) {
	t.Parallel()
	s := runStreams(t, "grace = '2m'\n")
	each := 30 // a busy machine with hundreds at once does not send a download's next piece in time
	if *campaign {
		each = 100
	}
	var lost []string
	var mu sync.Mutex
	var answered sync.WaitGroup
	get := func(kind, scheme, addr, path, want string, warm bool) {
		answered.Go(func() {
			client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 2 * limit}
			if warm {
				if err := body(&client, scheme+"://"+addr+"/", "v0"); err != nil {
					t.Error(err)
				}
				<-time.After(20 * time.Millisecond) // what it tells apart is more than 8 ms
			}
			if err := body(&client, scheme+"://"+addr+path, want); err != nil {
				mu.Lock()
				lost = append(lost, kind+": "+err.Error())
				mu.Unlock()
			}
		})
	}
	for range each {
		get("fresh", "http", s.addr, "/slow", "slow", false)
		get("kept alive", "http", s.addr, "/slow", "slow", true)
		get("TLS", "https", s.secure, "/slow", "slow", false)
		get("TLS, kept alive", "https", s.secure, "/slow", "slow", true)
		get("download", "http", s.addr, "/download", "end", false)
	}
	if !poll(limit, func() bool { return body(http.DefaultClient, "http://"+s.addr+"/waiting", fmt.Sprint(5*each)) == nil }) {
		t.Fatal("not every request came")
	}
	exited, took, _ := s.restart()
	answered.Wait()
	t.Logf("stopped in %v: %s", took, exited.Raw)
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost, the first: %s\n%s", len(lost), 5*each, lost[0], s.log())
	}
	if exited.int("code") != 0 {
		t.Errorf("%s", exited.Raw)
	}
	s.serves("http://"+s.addr, "v1")
	s.stop()
}

// TestHangUpLeavesTheAppsOwn: an app that is connected to a server within itself, or that it has started,
// goes on to use that while it stops.
func TestHangUpLeavesTheAppsOwn(t *testing.T) {
	t.Parallel()
	s := runStreams(t, "grace = '2m'\n", map[string]string{"own.go": `package main

import (
	"net"
	"os"
	"time"
)

func init() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	os.Setenv("DB", l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			check(err)
			go echo(c)
		}
	}()
}

func echo(c net.Conn) {
	defer c.Close()
	for b := make([]byte, 4096); ; {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond) // what is told apart is more than 8 ms
		c.Write(b[:n])
	}
}
`})
	slow := make(chan error, 1)
	go func() { slow <- body(http.DefaultClient, "http://"+s.addr+"/slow", "slow") }() // waited for
	if !poll(limit, func() bool { return body(http.DefaultClient, "http://"+s.addr+"/waiting", "1") == nil }) {
		t.Fatal("the slow request did not come")
	}
	request(t, s.addr, "/ticks")
	exited, took, hungUp := s.restart()
	if err := <-slow; err != nil {
		t.Error(err)
	}
	if exited.int("code") != 0 || hungUp == 0 {
		t.Errorf("%s, %d hung up on, in %v\n%s", exited.Raw, hungUp, took, s.log())
	}
	s.serves("http://"+s.addr, "v1")
	s.stop()
}

// body makes a request and expects that answer.
func body(client *http.Client, url, want string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && strings.TrimLeft(string(got), "x") != want { // of a download, its end
		err = fmt.Errorf("%s: %d bytes", resp.Status, len(got))
	}
	return err
}
