package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// frontRestarts is how many restarts TestFrontUnderLoad makes; 50 with -campaign.
var frontRestarts = flag.Int("front-restarts", 2, "how many restarts by save there are behind the front")

// fronted is a server that listens where PORT says, keeps a ledger of the POSTs that it has begun
// to answer, and stops as %[1]s says.
const fronted = `package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const version = "v0"

var srv = &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}

func main() {
	ledger, err := os.OpenFile(os.Getenv("LEDGER"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("id"); id != "" {
			mu.Lock()
			fmt.Fprintln(ledger, id)
			mu.Unlock()
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%%s got=%%d.", version, n)
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: event\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
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
		stop()
		close(stopped)
	}()
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
	<-stopped
}

func stop() {
	_, _ = context.Background, time.Second
	%[1]s
}
`

const (
	graceful = `ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	srv.Shutdown(ctx)`
	graceless = `os.Exit(0)`
)

// TestFrontUnderLoad: behind the front no request fails in a restart by save, of an app that stops
// in an orderly way and of one that does not, and websockets are closed with 1012. Of an app that is
// killed as nobody can handle those fail that were in flight. No POST is executed twice.
func TestFrontUnderLoad(t *testing.T) {
	t.Parallel()
	for _, app := range []struct {
		name, stop string
		inPlace    bool // the front is where the app binds
		long       bool // with -campaign alone
	}{
		{"graceful, in place", graceful, true, false},
		{"graceless", graceless, false, false},
		{"graceless, in place", graceless, true, true},
		{"graceful", graceful, false, true},
	} {
		if app.long && !*campaign {
			continue
		}
		t.Run(app.name, func(t *testing.T) {
			port := freePort(t)
			flag := "--front"
			if !app.inPlace {
				flag += "=127.0.0.1:" + port
			}
			f := &frontedApp{addr: "127.0.0.1:" + port, ledger: filepath.Join(t.TempDir(), "ledger")}
			f.dir = project(t, map[string]string{"main.go": fmt.Sprintf(fronted, app.stop)})
			f.devguard = run(t, f.dir, []string{"LEDGER=" + f.ledger, "PORT=" + port}, flag)
			f.serves("http://"+f.addr, "v0")
			f.underLoad(t)
			f.stop()
		})
	}
}

// frontedApp is the program `fronted` behind a front.
type frontedApp struct {
	*devguard
	addr, dir, ledger string

	saves int
	took  []int // from a save to ready
	kills []kill
}

// underLoad restarts the app by saves, and kills it after each fifth, and at least once.
func (f *frontedApp) underLoad(t *testing.T) {
	restarts := *frontRestarts
	if *campaign {
		restarts = max(restarts, 50)
	}
	l := newLoad(f.addr)
	l.websockets(4)
	for i := range restarts {
		f.save(t, l)
		if i%5 == min(4, restarts-1) {
			f.kill(t, l)
		}
	}
	l.stop()
	slices.Sort(f.took)
	t.Logf("%d restarts, save to ready %d ms (median), at most %d, %d times killed: %s", restarts, f.took[restarts/2], f.took[restarts-1], len(f.kills), l)
	hit := 0
	for _, failed := range l.failures {
		if !slices.ContainsFunc(f.kills, failed.within) {
			t.Errorf("failed, and not by a kill: %v", failed)
		}
		hit++
	}
	t.Logf("%d requests were in flight when the app was killed", hit)
	if twice := duplicates(t, f.ledger); len(twice) > 0 {
		t.Errorf("executed twice: %v", twice)
	}
	if t.Failed() {
		t.Log(f.log())
	}
}

// save has devguard restart the app, and waits until every kind of request was answered since.
func (f *frontedApp) save(t *testing.T, l *load) {
	mark := f.mark()
	edit(t, filepath.Join(f.dir, "main.go"), fmt.Sprintf(`"v%d"`, f.saves), fmt.Sprintf(`"v%d"`, f.saves+1))
	f.saves++
	f.took = append(f.took, f.wait(mark, "instance ready", nil).int("save_to_ready_ms"))
	f.serves("http://"+f.addr, fmt.Sprintf("v%d ", f.saves))
	l.goesOn(t)
}

// kill kills the app, and waits likewise.
func (f *frontedApp) kill(t *testing.T, l *load) {
	pid := 0
	for _, started := range f.since(0) {
		if started.Msg == "instance started" {
			pid = started.int("pid")
		}
	}
	k, mark := kill{sent: time.Now()}, f.mark()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.wait(mark, "instance exited", nil)
	k.gone = time.Now()
	f.kills = append(f.kills, k)
	f.wait(mark, "instance ready", nil)
	l.goesOn(t)
}

// duplicates returns the lines that a file has more than once.
func duplicates(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen, twice := map[string]bool{}, []string(nil)
	for line := range strings.Lines(string(text)) {
		if seen[line] {
			twice = append(twice, strings.TrimSpace(line))
		}
		seen[line] = true
	}
	if len(seen) == 0 {
		t.Error("the ledger is empty")
	}
	return twice
}

// websockets adds clients, each of which has one websocket after the other.
func (l *load) websockets(n int) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := l.cancel
	l.cancel = func() { stop(); cancel() }
	l.clients += n
	for range n {
		l.done.Go(func() { l.again(ctx, "websocket", l.websocket) })
	}
}

// websocket sends and awaits a frame every 50 ms, until the app ends: then 1012 has to come.
func (l *load) websocket(ctx context.Context) error {
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer c.Close()
	fmt.Fprint(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(res.Status)
	}
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	const frame, restart = "\x81\x02hi", "\x88\x02\x03\xf4"
	got := make([]byte, len(frame))
	for {
		_, _ = io.WriteString(c, frame)
		if n, err := io.ReadFull(r, got); err != nil {
			return fmt.Errorf("%q, %w", got[:n], err)
		}
		if string(got) == restart {
			return nil
		}
		if string(got) != frame {
			return fmt.Errorf("%q", got)
		}
		<-pause.C
	}
}

// TestFrontKilled: who kills by the port, as kill-port and fuser -k do, ends the process of the front, and
// neither devguard nor the app; clients come by the same address as before, and saves are served. It is
// gone with devguard, however that ends.
func TestFrontKilled(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{false, true} {
		t.Run(fmt.Sprintf("in place %v", inPlace), func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			flag, url := "--front", "http://127.0.0.1:"+port
			if !inPlace {
				flag += "=127.0.0.1:" + port
			}
			dir := project(t, map[string]string{"main.go": server})
			d := run(t, dir, []string{"PORT=" + port}, flag)
			d.serves(url, "v1")
			front := d.named(t, "devguard-front")
			if !holdsPort(front, port) || holdsPort(d.cmd.Process.Pid, port) {
				t.Errorf("the front's process listens: %v, devguard: %v", holdsPort(front, port), holdsPort(d.cmd.Process.Pid, port))
			}
			if err := syscall.Kill(front, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			d.wait(0, "the process of the front was killed, and is started again: connections by way of it are lost", nil)
			d.serves(url, "v1")
			if n := d.count(0, "instance started"); n != 1 {
				t.Errorf("the app was started %d times\n%s", n, d.log())
			}
			edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
			d.serves(url, "v2")
			if inPlace {
				d.stop()
				return
			}
			d.cmd.Process.Kill()
			<-d.ended
			d.nothingLeft()
		})
	}
}
