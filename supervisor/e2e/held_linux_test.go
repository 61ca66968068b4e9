package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// Three servers that know nothing of us and stop as their documentation tells: no new
// connections, and an end when the requests that there are have their answers. Each holds its
// stop up by 300 ms, as an open stream would.
const (
	gracefulGo = `package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const version = "v0"

func main() {
	srv := &http.Server{Addr: os.Getenv("ADDR")}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s pid=%d.", version, os.Getpid()) })
	stopped := make(chan struct{})
	go func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		<-c
		srv.Shutdown(context.Background())
		time.Sleep(300 * time.Millisecond)
		close(stopped)
	}()
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
	<-stopped
}
`
	gracefulNode = `const version = "v0"
const server = require("http").createServer((req, res) => res.end(version + " pid=" + process.pid + "."))
const [host, port] = process.env.ADDR.split(":")
server.listen(port, host)
process.on("SIGTERM", () => server.close(() => setTimeout(() => process.exit(0), 300)))
`
	gracefulPython = `import http.server, os, signal, sys, threading, time
version = "v0"
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (version + " pid=" + str(os.getpid()) + ".").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
host, port = os.environ["ADDR"].split(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Page)
server.daemon_threads = False # the end waits for them
def stop(*args):
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
server.serve_forever()
server.server_close()
time.sleep(0.3)
`
)

// TestHeldSockets: while an unmodified app is restarted again and again, no client is refused.
// Without held sockets the same clients are.
func TestHeldSockets(t *testing.T) {
	for _, app := range []struct{ name, file, source, program, host string }{
		{"go", "main.go", gracefulGo, "", "127.0.0.1"},
		{"go, every address", "main.go", gracefulGo, "", ""},
		{"node", "server.js", gracefulNode, "node", "127.0.0.1"},
		{"python", "server.py", gracefulPython, "python3", "127.0.0.1"},
	} {
		for _, hold := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hold=%v", app.name, hold), func(t *testing.T) {
				port := freePort(t)
				toml, args := fmt.Sprintf("[app]\nhold_sockets = %v\n", hold), []string(nil)
				if app.program != "" {
					path, err := exec.LookPath(app.program)
					if err != nil {
						testneed.Skip(t, app.program, err)
					}
					toml += fmt.Sprintf("command = [%q, %q]\n[watch]\ninclude = [%q]\n", path, app.file, app.file)
				}
				dir := project(t, map[string]string{app.file: app.source, "devguard.toml": toml})
				d := run(t, dir, []string{"ADDR=" + app.host + ":" + port}, args...)
				url := "http://127.0.0.1:" + port
				d.ready()
				d.serves(url, "v0")
				const load, restarts = 8, 2
				c := newClients(load, url)
				for i := range restarts {
					mark := d.mark()
					edit(t, filepath.Join(dir, app.file), fmt.Sprintf(`"v%d"`, i), fmt.Sprintf(`"v%d"`, i+1))
					d.wait(mark, "instance ready", func(l line) bool { return l.int("gen") == i+2 })
					d.serves(url, fmt.Sprintf("v%d ", i+1))
					c.serveMore(t, 100)
				}
				res := c.stop()
				t.Logf("%d restarts: %s", restarts, res)
				lost := 0
				if app.program == "" {
					// net/http closes connections that it has accepted, and of whose request
					// it has not read the header, when Shutdown comes: at most one of each client.
					lost = load * restarts
				}
				if hold && (res.refused > 0 || res.other > lost) {
					t.Errorf("requests failed: %s\n%s", res, d.log())
				}
				if hold && d.count(0, "listening socket let go")+d.count(0, "listening sockets are not held") > 0 {
					t.Errorf("not held\n%s", d.log())
				}
				if !hold && res.refused == 0 {
					t.Errorf("the control shows nothing: %s", res)
				}
				d.stop()
			})
		}
	}
}

// clients make requests, each on a connection of its own, until they are stopped.
type clients struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	res    results
}

// results are what became of the requests.
type results struct {
	ok, refused, other int
	longest            time.Duration
	first              error // of the other ones
}

func (r results) String() string {
	return fmt.Sprintf("%d ok, %d refused, %d failed otherwise (%v), longest %v", r.ok, r.refused, r.other, r.first, r.longest.Round(time.Millisecond))
}

func newClients(n int, url string) *clients {
	ctx, cancel := context.WithCancel(context.Background())
	c := &clients{cancel: cancel}
	for range n {
		c.done.Go(func() { c.ask(ctx, url) })
	}
	return c
}

func (c *clients) stop() results {
	c.cancel()
	c.done.Wait()
	return c.res
}

// serveMore waits until that many more requests were answered.
func (c *clients) serveMore(t *testing.T, n int) {
	t.Helper()
	answered := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.res.ok
	}
	before := answered()
	if !poll(limit, func() bool { return answered() >= before+n }) {
		t.Fatalf("%d more requests were not answered: %d, before %d", n, answered(), before)
	}
}

// ask makes about 100 requests a second.
func (c *clients) ask(ctx context.Context, url string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		began := time.Now()
		err := fetch(ctx, &client, url)
		if ctx.Err() == nil {
			c.count(err, time.Since(began))
		}
		<-pause.C
	}
}

func fetch(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "pid=")) {
		err = fmt.Errorf("%s: %q", resp.Status, body)
	}
	return err
}

func (c *clients) count(err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var op *net.OpError
	switch {
	case err == nil:
		c.res.ok++
		c.res.longest = max(c.res.longest, took)
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &op) && op.Op == "dial":
		c.res.refused++
	default:
		c.res.other++
		if c.res.first == nil {
			c.res.first = err
		}
	}
}
