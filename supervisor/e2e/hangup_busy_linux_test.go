package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// goingOn is a server that goes on with its connections for a while after the stop signal, as one does
// behind a load balancer, and whose clients have its answers after some milliseconds. It says which
// requests have come to it.
const goingOn = `package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const version = "v0"

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		os.Stdout.WriteString("request " + r.FormValue("id") + " came\n")
		if r.FormValue("header") != "" {
			w.(http.Flusher).Flush()
		}
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		fmt.Fprint(w, version)
	})
	srv := &http.Server{Addr: os.Getenv("ADDR")}
	go srv.ListenAndServe()
	<-signals
	time.Sleep(200 * time.Millisecond)
	srv.Shutdown(context.Background())
}
`

// TestHangUpLeavesBusyConnections: clients that make one request after the other on a kept connection, so
// that the next one lies just behind an answer, or behind the header of one.
func TestHangUpLeavesBusyConnections(t *testing.T) {
	t.Parallel()
	restarts := 2
	if *campaign {
		restarts = 50
	}
	addr := "127.0.0.1:" + freePort(t)
	dir := project(t, map[string]string{"main.go": goingOn})
	d := run(t, dir, []string{"ADDR=" + addr})
	d.serves("http://"+addr, "v0")
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex
	answered, unanswered := 0, []string{}
	for i := range 24 {
		query := fmt.Sprintf("ms=%d", 15+5*(i%6))
		if i%4 == 0 {
			query = "ms=20&header=1" // one that pauses for longer than 30 ms may be taken for whole
		}
		clients.Go(func() {
			n, lost := askAgain(ctx, t, addr, fmt.Sprint(i), query)
			mu.Lock()
			defer mu.Unlock()
			answered += n
			unanswered = append(unanswered, lost...)
		})
	}
	for n := range restarts {
		mark := d.mark()
		edit(t, filepath.Join(dir, "main.go"), fmt.Sprintf(`"v%d"`, n), fmt.Sprintf(`"v%d"`, n+1))
		d.wait(mark, "instance ready", nil)
	}
	cancel()
	clients.Wait()
	d.stop()
	out := d.out.String()
	for _, id := range unanswered {
		if strings.Contains(out, "request "+id+" came\n") {
			t.Errorf("request %s has come to the app, and has no answer", id)
		}
	}
	t.Logf("%d requests, %d restarts", answered, restarts)
}

// askAgain makes POSTs on one connection until ctx ends, and returns how many were answered, and which
// were not. When the connection ends it opens another one.
func askAgain(ctx context.Context, t *testing.T, addr, client, query string) (answered int, unanswered []string) {
	var c net.Conn
	var r *bufio.Reader
	for n := 0; ctx.Err() == nil; n++ {
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				t.Errorf("refused: %v", err)
				return answered, unanswered
			}
			r = bufio.NewReader(c)
		}
		id := fmt.Sprintf("%s.%d.", client, n)
		_, err := fmt.Fprintf(c, "POST /?id=%s&%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", id, query)
		if err == nil {
			err = readAnswer(r)
		}
		if err == nil {
			answered++
			continue
		}
		c.Close()
		c = nil
		unanswered = append(unanswered, id)
	}
	if c != nil {
		c.Close()
	}
	return answered, unanswered
}

// readAnswer reads one answer.
func readAnswer(r *bufio.Reader) error {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
