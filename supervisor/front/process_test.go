package front

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is two programs: the process of a front, the tests.
func TestMain(m *testing.M) {
	if !Main() {
		os.Exit(m.Run())
	}
}

// TestProcessKilled: another process answers where the one before did, and knows what that was told.
func TestProcessKilled(t *testing.T) {
	lost := make(chan error, 10)
	p, err := Start(Options{Listen: "127.0.0.1:0", Hold: limit, Live: true}, func(err error) { lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the app") })
	p.Started(1, app.at())
	p.Ready(1)
	p.Show([]Problem{{Title: "a problem"}})
	url := "http://" + p.Addr()
	if got := ask(t, url); got != "the app" {
		t.Fatalf("got %q", got)
	}
	if err := p.current().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	p.Idle("nothing is done")
	p.Settle(t.Context(), 1) // with whichever process
	eventually(t, url, "the app")
	p.Stopping(1)
	p.Settle(t.Context(), 1)
	p.Ended(1)
	p.Idle("it was stopped")
	if got := ask(t, url); !strings.Contains(got, "it was stopped") {
		t.Errorf("got %q", got)
	}
	if err := p.current().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-lost
	eventually(t, url, "it was stopped")
	p.Crashed("exit status 2", 2)
	if got := ask(t, url); !strings.Contains(got, "exit status 2") {
		t.Errorf("got %q", got)
	}
}

// TestProcessStops: a front that is closed leaves no process, and its address.
func TestProcessStops(t *testing.T) {
	p, err := Start(Options{Listen: "127.0.0.1:0", Hold: limit}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	select {
	case <-p.child.gone:
	default:
		t.Error("its process runs")
	}
	listenAs(t, p.Addr())
	if _, err := Start(Options{Listen: p.Addr()}, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("where another listens: %v", err)
	}
}

// ask returns the beginning of an answer.
func ask(t *testing.T, url string) string {
	t.Helper()
	res, err := client(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b := make([]byte, 1000)
	n, _ := res.Body.Read(b)
	return string(b[:n])
}

// eventually asks until an answer has a text in it.
func eventually(t *testing.T, url, want string) {
	t.Helper()
	got := ""
	for began := time.Now(); time.Since(began) < limit; {
		res, err := client(t).Get(url)
		if err != nil {
			continue
		}
		b := make([]byte, 1000)
		n, _ := res.Body.Read(b)
		res.Body.Close()
		if got = string(b[:n]); strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("got %q, want %q", got, want)
}
