package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crashing is a server that ends badly when it is asked to.
const crashing = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "version 1") })
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	fmt.Println(http.ListenAndServe(os.Getenv("ADDR"), nil))
	os.Exit(1)
}
`

// TestHeldSocketWhileDown: when the app has crashed and waits for a change, an HTTP/1 request is told
// so, with the place of what does not compile; everybody else is reset. The next version serves.
// Without held sockets the port refuses.
func TestHeldSocketWhileDown(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("hold=%v", hold), func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:" + freePort(t)
			dir := project(t, map[string]string{"main.go": crashing, "devguard.toml": fmt.Sprintf("[app]\nrestart_on_crash = false\nhold_sockets = %v\n", hold)})
			d := run(t, dir, []string{"ADDR=" + addr})
			d.ready()
			mark := d.mark()
			http.Get("http://" + addr + "/crash") // fails: its server is gone
			d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 1 })
			main := filepath.Join(dir, "main.go")
			if !hold {
				if !poll(limit, func() bool { return refuses(addr) }) {
					t.Error("somebody listens")
				}
				d.stop()
				return
			}
			unavailable(t, addr, "it crashed")
			othersAreReset(t, addr)
			edit(t, main, "func main() {", "func main() {\n\tundefinedName()")
			d.wait(mark, "build failed", nil)
			unavailable(t, addr, "main.go:10:2: undefined: undefinedName")
			edit(t, main, "undefinedName()", "")
			edit(t, main, "version 1", "version 2")
			d.serves("http://"+addr, "version 2")
			if said := d.reasons(); len(said) > 0 {
				t.Errorf("let go: %q\n%s", said, d.log())
			}
			d.stop()
		})
	}
}

// TestHeldSocketCrashLoop: an app that listens and then crashes, again and again, takes what is held for
// it each time. From the second crash on its clients are told so during the pauses, which grow up to 8 s.
// Without held sockets the port refuses.
func TestHeldSocketCrashLoop(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("hold=%v", hold), func(t *testing.T) {
			t.Parallel()
			d, dir, addr := heldApp(t, func(d *devguard) {
				edit(t, filepath.Join(d.cmd.Dir, "devguard.toml"), "hold_sockets = true", fmt.Sprintf("hold_sockets = %v", hold))
			})
			saveWhole(t, filepath.Join(dir, "sockets"), "tag save1\nlisten "+addr+"\nsleep 10ms\nexit 1")
			last := ""
			told := func() bool {
				answer, err := talk(t, addr, "GET / HTTP/1.1\r\n\r\n")
				last = fmt.Sprint(answer, err)
				return strings.Contains(answer, "503") && strings.Contains(answer, "the app has crashed: it is started again after a pause")
			}
			switch {
			case !hold:
				if !poll(limit, func() bool { return refuses(addr) }) {
					t.Error("somebody listens")
				}
			case !poll(limit, told):
				t.Errorf("want 503; last: %s\n%s", last, d.log())
			}
			d.save(dir, addr, 2)
			if said := d.reasons(); len(said) > 0 {
				t.Errorf("let go: %q", said)
			}
			d.stop()
		})
	}
}

// unavailable expects that a request with a body, one of HEAD and one by HTTP/1.0 are answered 503
// for that reason, as soon as devguard knows it.
func unavailable(t *testing.T, addr, reason string) {
	t.Helper()
	last := ""
	ask := func() bool {
		resp, err := http.Post("http://"+addr+"/some?where", "text/plain", bytes.NewReader(make([]byte, 1<<20)))
		if err != nil {
			last = err.Error()
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		last = fmt.Sprint(resp.Status, resp.Header, string(body), err)
		return err == nil && resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "" && strings.Contains(string(body), reason)
	}
	if !poll(limit, ask) {
		t.Fatalf("want 503 with %q; last: %s", reason, last)
	}
	resp, err := http.Head("http://" + addr)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("HEAD: %v, %v", resp, err)
	}
	if answer, err := talk(t, addr, "GET / HTTP/1.0\r\n\r\n"); err != nil || !strings.Contains(answer, reason) {
		t.Errorf("HTTP/1.0: %q, %v", answer, err)
	}
}

// othersAreReset expects that whoever makes no HTTP/1 request is reset, soon.
func othersAreReset(t *testing.T, addr string) {
	t.Helper()
	for name, says := range map[string]string{
		"TLS":                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"HTTP/2":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"nothing":             "",
		"half a request line": "GET / HT",
		"another protocol":    "HELLO\r\n",
		"a long line":         "GET /" + strings.Repeat("x", 100_000),
	} {
		if answer, err := talk(t, addr, says); answer != "" || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: answer %q, error %v", name, answer, err)
		}
	}
}

// talk makes a connection, says something and returns what comes back until its end.
func talk(t *testing.T, addr, says string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(c, says); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}
