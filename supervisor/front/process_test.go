package front

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
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

// TestProcessEndsAtOnce: with devguard it ends, whatever a client and the app owe each other.
func TestProcessEndsAtOnce(t *testing.T) {
	c := startOpen(t)
	w := newWait()
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) { w.stay(r.Context()) })
	if err := errors.Join(c.tell("Started", struct {
		Gen int
		At  []string
	}{1, []string{app.at()}}), c.tell("Ready", 1)); err != nil {
		t.Fatal(err)
	}
	go func() {
		if res, err := client(t).Get("http://" + c.addr); err == nil {
			res.Body.Close()
		}
	}()
	after(t, w.in, "the request")
	c.client.Go("Front.Settle", 1, new(int), nil)
	if err := c.tell("Stopping", 1); err != nil { // Settle has been read before
		t.Fatal(err)
	}
	_ = c.client.Close()
	after(t, c.gone, "its end")
}

// TestProcessUnopened: what is called without a Front is answered by an error, and the process lives.
func TestProcessUnopened(t *testing.T) {
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	defer c.end()
	taken := listenAs(t, "127.0.0.1:0").Addr().String()
	if _, err := c.open(Options{Listen: taken}, openWithin); !answered(err) {
		t.Errorf("where another listens: %v", err)
	}
	if err := c.tell("Ready", 1); !answered(err) {
		t.Errorf("without a Front: %v", err)
	}
	if _, err := c.open(Options{Listen: "127.0.0.1:0"}, openWithin); err != nil {
		t.Error(err)
	}
}

// TestProcessCannotComeBack: nobody waits for a front whose address another has.
func TestProcessCannotComeBack(t *testing.T) {
	lost := make(chan error, 100)
	p, err := Start(Options{Hold: limit}, func(err error) { lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Started(1)
	p.mu.Lock()
	p.options.Listen = listenAs(t, "127.0.0.1:0").Addr().String()
	p.mu.Unlock()
	if err := p.current().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	after(t, p.current().gone, "its end")
	returns(t, "Take", func() {
		if instead, err := p.Take(netip.MustParseAddrPort("127.0.0.1:1"), false); err == nil {
			t.Errorf("the app is to listen at %v", instead)
		}
	})
	for err := range lost {
		if strings.Contains(err.Error(), "in use") {
			return
		}
	}
}

// TestProcessLosesAddress: a front comes back without an address that another has by now.
func TestProcessLosesAddress(t *testing.T) {
	lost := make(chan error, 10)
	p, err := Start(Options{Listen: "127.0.0.1:0", Hold: limit}, func(err error) { lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Idle("nothing is done")
	taken := listenAs(t, "127.0.0.1:0").Addr().(*net.TCPAddr).AddrPort()
	p.mu.Lock()
	p.homes[taken] = netip.AddrPortFrom(netip.MustParseAddr("127.77.1.1"), taken.Port())
	p.mu.Unlock()
	if err := p.current().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "http://"+p.Addr(), "nothing is done")
	<-lost // the end
	if err := <-lost; !strings.Contains(err.Error(), taken.String()) || p.Answers() {
		t.Errorf("of the address that is lost: %v", err)
	}
}

// openChild is a child that is open.
type openChild struct {
	*child
	addr string
}

func startOpen(t *testing.T) openChild {
	t.Helper()
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	addr, err := c.open(Options{Listen: "127.0.0.1:0", Hold: limit}, openWithin)
	if err != nil {
		t.Fatal(err)
	}
	return openChild{c, addr}
}

// returns fails when what is done does not.
func returns(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s does not return", what)
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
