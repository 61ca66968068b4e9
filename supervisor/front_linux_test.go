//go:build amd64 || arm64

package supervisor

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/seccomp"
	"github.com/devguard/devguard/supervisor/testneed"
)

// TestFrontWhereTheAppBinds: two generations of an app bind one address, and clients reach both
// there by way of the front; a request that comes in between waits.
func TestFrontWhereTheAppBinds(t *testing.T) {
	cfg := config.Default(t.TempDir())
	cfg.Front.Listen = config.FrontOfApp
	holder := listeners.New(func(l logline.Line) { t.Logf("%+v", l) })
	defer holder.Close()
	a, err := openAddress(cfg, holder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()

	port := freeAt(t)
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	one := appAt(t, a, holder, 1, port)
	if got := page(url); got != "generation 1 for 127.0.0.1" {
		t.Fatalf("got %q", got)
	}
	a.front.Stopping(1)
	waits := make(chan string, 1)
	go func() { waits <- page(url) }()
	a.front.Settle(t.Context(), 1)
	one.Close()
	a.ended(1)
	holder.Stopping(1)
	holder.Ended(1)
	two := appAt(t, a, holder, 2, port)
	defer two.Close()
	if got := <-waits; got != "generation 2 for 127.0.0.1" {
		t.Errorf("got %q", got)
	}
}

func freeAt(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func page(url string) string {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// appAt runs a generation that binds a port of 127.0.0.1 under the filter, and serves there.
func appAt(t *testing.T, a *address, holder *listeners.Holder, gen, port int) *http.Server {
	t.Helper()
	type installed struct {
		fd  int
		err error
	}
	got, started := make(chan installed), make(chan struct{})
	socket := make(chan int)
	go testneed.OwnThread(func() {
		fd, _, err := seccomp.Install(func() error { return nil })
		got <- installed{fd, err}
		<-started
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			err = unix.Bind(s, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
		}
		if err == nil {
			err = unix.Listen(s, 100)
		}
		if err != nil {
			t.Error(err)
		}
		socket <- s
	})
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	a.started(gen)
	holder.Started(gen, os.NewFile(uintptr(r.fd), "notifications"), nil, func() []int { return []int{os.Getpid()} })
	close(started)
	file := os.NewFile(uintptr(<-socket), "listening socket")
	l, err := net.FileListener(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	if want := fmt.Sprintf("127.0.0.1:%d", port); a.front.Behind(want) != at.String() || a.seen([]netip.AddrPort{at})[0].String() != want {
		t.Errorf("the app listens at %v, and is seen at %v", at, a.seen([]netip.AddrPort{at}))
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "generation %d for %s", gen, r.Header.Get("X-Forwarded-For"))
	})}
	go func() { _ = s.Serve(l) }()
	a.found(gen, nil, []netip.AddrPort{at})
	return s
}
