package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// fewRestarts are enough to see that nothing is refused; with more of them save to ready is measured.
const fewRestarts = 2

// heldRestarts is how many restarts TestHeldSocketsUnderLoad makes of each app; 50 at least with -campaign.
var heldRestarts = flag.Int("held-restarts", fewRestarts, "how many restarts by save there are under load")

// Three servers that know nothing of us, with a graceful stop of 5 s: they count the bytes of an
// upload, stream events, and echo after an Upgrade.
const (
	loadedGo = `package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const version = "v0"

func main() {
	srv := &http.Server{Addr: os.Getenv("ADDR")}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s got=%d.", version, n)
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		for tick := time.Tick(100 * time.Millisecond); r.Context().Err() == nil; {
			fmt.Fprint(w, "data: event\n\n")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-tick:
			}
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(101)
		c, buf, _ := w.(http.Hijacker).Hijack()
		defer c.Close()
		io.Copy(c, buf)
	})
	stopped := make(chan struct{})
	go func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		<-c
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		close(stopped)
	}()
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
	<-stopped
}
`
	loadedNode = `const version = process.env.VERSION
const server = require("http").createServer((req, res) => {
  if (req.url == "/events") {
    const timer = setInterval(() => res.write("data: event\n\n"), 100)
    res.on("close", () => clearInterval(timer))
    res.write("data: event\n\n")
    return
  }
  let n = 0
  req.on("data", d => n += d.length)
  req.on("end", () => res.end(version + " got=" + n + "."))
})
server.on("upgrade", (req, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
  socket.on("error", () => {})
  socket.pipe(socket)
})
const [host, port] = process.env.ADDR.split(":")
server.listen(port, host)
process.on("SIGTERM", () => { server.close(() => process.exit(0)); setTimeout(() => process.exit(0), 5000) })
`
	loadedPython = `import http.server, os, signal, threading, time
version = os.environ["VERSION"]
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"data: event\n\n")
                    time.sleep(0.1)
            except OSError:
                self.close_connection = True
            return
        if self.path == "/echo":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
            self.close_connection = True
            try:
                for line in self.rfile: self.wfile.write(line)
            except OSError: pass
            return
        self.answer(0)
    def do_POST(self):
        n = 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline(), 16)
                n += len(self.rfile.read(size))
                self.rfile.readline()
                if size == 0: break
        else:
            n = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(n)
    def answer(self, n):
        body = ("%s got=%d." % (version, n)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
host, port = os.environ["ADDR"].split(":")
server = Server((host, int(port)), Page)
signal.signal(signal.SIGTERM, lambda *args: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
`
)

// TestHeldSocketsUnderLoad: by default, an unmodified server with a graceful stop refuses nobody and
// loses no request in a restart by save; streams end, and do not hold the stop up. A request that meets
// the close of the idle connection that it was made on is repeated by the client, if it is one that may
// be: net/http does that by itself.
//
// One that is ended by the signal itself, or by kill -9, refuses nobody either: what fails are requests
// that it had accepted, at most one of each client.
func TestHeldSocketsUnderLoad(t *testing.T) {
	if *campaign {
		*heldRestarts = max(*heldRestarts, 50)
	}
	for _, app := range []struct {
		name, file, source, program string
		handler                     bool
	}{
		{"go", "main.go", loadedGo, "", true},
		{"node", "server.js", loadedNode, "node", true},
		{"python", "server.py", loadedPython, "python3", true},
		{"go without a handler", "main.go", strings.Replace(loadedGo, "signal.Notify(c, syscall.SIGTERM)", "signal.Notify(c, syscall.SIGUSR1)", 1), "", false},
		{"python without a handler", "server.py", strings.Replace(loadedPython, "signal.SIGTERM", "signal.SIGUSR1", 1), "python3", false},
	} {
		t.Run(app.name, func(t *testing.T) {
			toml, versioned := "", app.file
			if app.program != "" {
				path, err := exec.LookPath(app.program)
				if err != nil {
					testneed.Skip(t, app.program, err)
				}
				toml, versioned = fmt.Sprintf("[app]\ncommand = [%q, %q]\nenv_files = ['.env']\n", path, app.file), ".env"
			}
			addr := "127.0.0.1:" + freePort(t)
			dir := project(t, map[string]string{app.file: app.source, ".env": "VERSION=\"v0\"\n", "devguard.toml": toml})
			d := run(t, dir, []string{"ADDR=" + addr})
			url := "http://" + addr
			d.serves(url, "v0")
			d.ready()
			var l *load // from the first restart on, with which the others are compared
			var took []int
			ends, pid := 0, d.wait(0, "instance started", nil).int("pid")
			for i := range *heldRestarts + 1 {
				if !app.handler && i%5 == 1 {
					l.killed(t, d, pid)
					ends++
				}
				mark := d.mark()
				edit(t, filepath.Join(dir, versioned), fmt.Sprintf(`"v%d"`, i), fmt.Sprintf(`"v%d"`, i+1))
				ends++
				took = append(took, d.wait(mark, "instance ready", nil).int("save_to_ready_ms"))
				pid = d.wait(mark, "instance started", nil).int("pid")
				d.serves(url, fmt.Sprintf("v%d ", i+1))
				if l == nil {
					l = newLoad(addr)
				}
				l.goesOn(t)
			}
			l.stop()
			without, took := took[0], slices.Sorted(slices.Values(took[1:]))
			t.Logf("%d restarts, save to ready %d ms (median), at most %d, without load %d: %s", len(took), took[len(took)/2], took[len(took)-1], without, l)
			for kind, n := range l.failed {
				t.Logf("%s: %d failed, the first: %v", kind, n, l.first[kind])
			}
			if len(l.seconds) > 0 {
				t.Logf("failed at %v", l.seconds)
			}
			// The stop waits only so long for the app to read the requests of whoever is connected (see
			// hangup.Settle): beside other tests, one may be cut by net/http itself. The campaign runs alone.
			allowed := ends
			switch {
			case !app.handler:
				allowed = ends * l.clients
			case *campaign:
				allowed = 0
			}
			if l.refused > 0 || l.lost() > allowed {
				t.Errorf("%d connections were refused, %d requests were lost: %v\n%s", l.refused, l.lost(), l.first, d.log())
			}
			if d.count(0, "listening socket let go")+d.count(0, "listening sockets are not held") > 0 {
				t.Errorf("not held\n%s", d.log())
			}
			d.stop()
		})
	}
}

// openStreams is how many of the clients have one open.
const openStreams = 8

// load is 50 clients of every kind.
type load struct {
	addr    string
	posts   atomic.Int64 // their numbers, as the app is told them
	clients int
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex
	ok       map[string]int
	failed   map[string]int
	refused  int                    // of those
	seconds  map[string]int         // when they failed
	first    map[string]error       // the first failure of each kind
	opened   map[net.Conn]time.Time // the streams that are open
	failures []failure
	longest  map[string]time.Duration
}

func newLoad(addr string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{addr: addr, cancel: cancel, ok: map[string]int{}, failed: map[string]int{}, first: map[string]error{}, seconds: map[string]int{}, longest: map[string]time.Duration{}, opened: map[net.Conn]time.Time{}}
	fresh := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	small, large := make([]byte, 100), make([]byte, 5<<20)
	upload := func(body func() io.Reader, n int) func(context.Context) error {
		return func(ctx context.Context) error {
			return exchange(ctx, &fresh, http.MethodPost, fmt.Sprintf("http://%s/?id=%d", addr, l.posts.Add(1)), body(), fmt.Sprintf("got=%d.", n))
		}
	}
	bytesOf := func(b []byte) func() io.Reader { return func() io.Reader { return bytes.NewReader(b) } }
	chunked := func() io.Reader { return struct{ io.Reader }{bytes.NewReader(small)} }
	for _, kind := range []struct {
		name    string
		clients int
		once    func(context.Context) error
	}{
		{"POST of 100 bytes", 14, upload(bytesOf(small), len(small))},
		{"POST of 5 MB", 2, upload(bytesOf(large), len(large))},
		{"chunked POST", 4, upload(chunked, len(small))},
		{"GET", 14, func(ctx context.Context) error {
			return exchange(ctx, &fresh, http.MethodGet, "http://"+addr+"/", nil, "got=0.")
		}},
		{"events", openStreams / 2, l.events},
		{"echo", openStreams / 2, l.echo},
	} {
		l.clients += kind.clients
		for range kind.clients {
			l.done.Go(func() { l.again(ctx, kind.name, kind.once) })
		}
	}
	const keptAlive = 8
	l.clients += keptAlive
	for range keptAlive {
		kept := http.Client{Transport: &http.Transport{}, Timeout: limit}
		l.done.Go(func() {
			l.again(ctx, "GET, kept alive", func(ctx context.Context) error {
				return exchange(ctx, &kept, http.MethodGet, "http://"+addr+"/", nil, "got=0.")
			})
		})
	}
	return l
}

// failure is a request that failed.
type failure struct {
	kind         string
	err          error
	began, ended time.Time
}

func (f failure) String() string {
	return fmt.Sprintf("%s: %v, begun %s, failed %s", f.kind, f.err, f.began.UTC().Format(time.StampMilli), f.ended.UTC().Format(time.StampMilli))
}

// kill is one by a signal that nobody handles. On a busy machine the app may answer for a while after it was
// sent.
type kill struct{ sent, gone time.Time }

// within reports whether a request was in flight when the app was killed.
func (f failure) within(k kill) bool { return f.began.Before(k.gone) && f.ended.After(k.sent) }

// again makes one request after the other, some 20 a second.
func (l *load) again(ctx context.Context, kind string, once func(context.Context) error) {
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		began := time.Now()
		err := once(ctx)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if err == nil {
			l.ok[kind]++
			l.longest[kind] = max(l.longest[kind], time.Since(began))
		} else {
			l.failed[kind]++
			l.failures = append(l.failures, failure{kind, err, began, time.Now()})
			l.seconds[time.Now().UTC().Format(time.TimeOnly)]++
			var op *net.OpError
			if errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial" {
				l.refused++
			}
			if l.first[kind] == nil {
				l.first[kind] = fmt.Errorf("%w, begun %s, failed %s", err, began.UTC().Format(time.StampMilli), time.Now().UTC().Format(time.StampMilli))
			}
		}
		l.mu.Unlock()
		<-pause.C
	}
}

func exchange(ctx context.Context, client *http.Client, method, url string, body io.Reader, want string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(got), want) {
		err = fmt.Errorf("%s: %q", resp.Status, got)
	}
	return err
}

// events reads a stream until it ends, which is no failure; that it cannot be opened is one.
func (l *load) events(ctx context.Context) error {
	return l.stream(ctx, "/events", "", "data: event\n")
}

// echo talks over a connection that was upgraded, likewise.
func (l *load) echo(ctx context.Context) error {
	return l.stream(ctx, "/echo", "Connection: Upgrade\r\nUpgrade: echo\r\n", "hello\n")
}

func (l *load) stream(ctx context.Context, path, headers, want string) error {
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers)
	r, open := bufio.NewReader(c), false
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		if open && headers != "" {
			io.WriteString(c, want)
			<-pause.C
		}
		text, err := r.ReadString('\n')
		if !open && strings.HasPrefix(text, "HTTP/1.1 ") && !strings.Contains(text, " 200 ") && !strings.Contains(text, " 101 ") {
			return errors.New(text)
		}
		if !open && text == "\r\n" { // the header is over
			open = true
			l.open(c)
			defer l.close(c)
		}
		switch {
		case err == nil && open && text == "0\r\n":
			return nil // the last chunk
		case err == nil:
		case !open || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET):
			return fmt.Errorf("%q, %w", text, err)
		default:
			return nil
		}
	}
}

// goesOn waits until every kind of request was answered once more, and, where save to ready is measured, the
// streams are open for so long that they are no downloads: nobody saves twice within half a second all day.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	count := func() map[string]int {
		l.mu.Lock()
		defer l.mu.Unlock()
		out := map[string]int{}
		for kind, n := range l.ok {
			out[kind] = n + l.failed[kind]
		}
		return out
	}
	before := count()
	if !poll(limit, func() bool {
		now := count()
		if *heldRestarts > fewRestarts && !l.streaming(600*time.Millisecond) {
			return false
		}
		for _, kind := range []string{"POST of 100 bytes", "POST of 5 MB", "chunked POST", "GET", "GET, kept alive"} {
			if now[kind] <= before[kind] {
				return false
			}
		}
		return true
	}) {
		t.Fatalf("no answers any more: %v, then %v", before, count())
	}
}

// open says that a stream is.
func (l *load) open(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened[c] = time.Now()
}

// close says that a stream has ended.
func (l *load) close(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.opened, c)
}

// streaming reports whether all streams are open for that long.
func (l *load) streaming(long time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, opened := range l.opened {
		if time.Since(opened) < long {
			return false
		}
	}
	return len(l.opened) == openStreams
}

// killed kills the app as nobody can handle, and waits until it was started again.
func (l *load) killed(t *testing.T, d *devguard, pid int) {
	t.Helper()
	mark := d.mark()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.wait(mark, "instance ready", nil)
	l.goesOn(t)
}

// lost is how many requests have failed otherwise than by being refused.
func (l *load) lost() int {
	n := -l.refused
	for _, failed := range l.failed {
		n += failed
	}
	return n
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

func (l *load) String() string {
	var out []string
	for kind, n := range l.ok {
		out = append(out, fmt.Sprintf("%s %d (longest %v)", kind, n, l.longest[kind].Round(time.Millisecond)))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
