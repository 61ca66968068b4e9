package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// has opens an address that must be free.
func has(t *testing.T, a *Addresses, by *background, address string) net.Listener {
	t.Helper()
	l, turn, err := a.listen(by, address)
	if l == nil {
		t.Fatalf("turn %v, error %v", turn, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// waits asks for an address that another Guard must have.
func waits(t *testing.T, a *Addresses, by *background, address string) *turn {
	t.Helper()
	l, turn, err := a.listen(by, address)
	if turn == nil {
		t.Fatalf("listener %v, error %v", l, err)
	}
	return turn
}

// An address passes from Guard to Guard in the order in which they asked, with who
// has knocked there meanwhile.
func TestAddressIsPassedOn(t *testing.T) {
	a, address := NewAddresses(), freeAddress(t)
	first := has(t, a, newBackground(t.Context()), address)
	two := newBackground(t.Context())
	left, second, third := waits(t, a, newBackground(t.Context()), address), waits(t, a, two, address), waits(t, a, newBackground(t.Context()), address)
	over, end := context.WithCancel(t.Context())
	end()
	if l := left.await(over); l != nil {
		t.Error("who has left the line got it")
	}
	knocks, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer knocks.Close()
	first.Close()
	first.Close() // it is not its own any more
	l := second.await(t.Context())
	if l == nil {
		t.Fatal("it was not passed on")
	}
	if err := l.(*fixedListener).Listener.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	met, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if met.RemoteAddr().String() != knocks.LocalAddr().String() {
		t.Errorf("accepted %v", met.RemoteAddr())
	}
	met.Close()
	if _, _, err := a.listen(two, address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("two databases of one Guard: %v", err)
	}
	l.Close()
	if l = third.await(over); l == nil { // it is its turn already
		l = has(t, a, two, address) // passed by, so nobody has it
	}
	l.Close()
}

// When a turn comes while its Guard is being closed, the next one has it.
func TestAddressIsPassedOnByWhoIsClosed(t *testing.T) {
	for range 100 {
		a, address := NewAddresses(), freeAddress(t)
		first := has(t, a, newBackground(t.Context()), address)
		second, third := waits(t, a, newBackground(t.Context()), address), waits(t, a, newBackground(t.Context()), address)
		ctx, end := context.WithCancel(t.Context())
		go end()
		go first.Close()
		if l := second.await(ctx); l != nil {
			l.Close()
		}
		l := third.await(t.Context())
		if l == nil {
			t.Fatal("lost")
		}
		l.Close()
	}
}

// A Guard that is closed by now does not stay in the line: it would keep the address
// from those behind it.
func TestClosedGuardLeavesTheLine(t *testing.T) {
	a, address := NewAddresses(), freeAddress(t)
	first := has(t, a, newBackground(t.Context()), address)
	closed, _ := open(t, Options{
		Addresses: a, Databases: auto(Database{Listen: address}),
		Env: []string{"DATABASE_URL=postgres://dev:" + password + "@127.0.0.1:1/app"},
	})
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed.upstreams.all()[0].openFixed()
	third := waits(t, a, newBackground(t.Context()), address)
	first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l := third.await(ctx)
	if l == nil {
		t.Fatal("lost")
	}
	l.Close()
}

// An address that another program has is not passed on; who is in line tries for
// themselves.
func TestAddressOfAnotherProgram(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, one := NewAddresses(), newBackground(t.Context())
	for range 2 {
		if _, _, err := a.listen(one, other.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v", err)
		}
	}
	if n := len(a.taken); n > 0 {
		t.Errorf("%d addresses are taken", n)
	}
	other.Close()
	has(t, a, one, other.Addr().String())
	waits(t, a, newBackground(t.Context()), strings.Replace(other.Addr().String(), "127.0.0.1", "localhost", 1))
}

// TestFixedAddressOfTheNextGuard: after an edit of devguard.toml the Guard that the app
// was started with keeps its address until it is closed; the next one's clients are
// served from then on, and none is refused in between.
func TestFixedAddressOfTheNextGuard(t *testing.T) {
	s, dev := server(t)
	address, addresses := freeAddress(t), NewAddresses()
	guards := make([]*Guard, 3)
	logs := make([]*record, 3)
	for i := range guards {
		guards[i], logs[i] = open(t, Options{
			Addresses: addresses,
			Databases: auto(Database{Listen: address, DrainTimeout: time.Duration(i+1) * time.Second}),
		})
		through(t, guards[i], i+1, s.URL(dev))
	}
	url := strings.Replace(s.URL(dev), fmt.Sprintf("%s:%d", s.Host, s.Port), address, 1)
	strangers := func(log *record) int { return len(log.lines(t, "bypass")) }
	for i := range guards {
		conn := connection(t, url)
		run(t, conn, "select 1")
		if strangers(logs[i]) != 1 {
			t.Errorf("Guard %d has not served who came in its time", i)
		}
		knocking, stop := context.WithCancel(t.Context())
		knocked := make(chan error, 1)
		go func() { knocked <- knock(knocking, address) }()
		if err := guards[i].Close(t.Context()); err != nil {
			t.Error(err)
		}
		if i+1 < len(guards) {
			until(t, func() bool {
				c, err := pgconn.Connect(t.Context(), url)
				return err == nil && c.Close(t.Context()) == nil
			})
		}
		stop()
		if err := <-knocked; err != nil && i+1 < len(guards) {
			t.Errorf("while Guard %d was closed: %v", i, err)
		}
	}
}

// knock connects to an address again and again, and returns why it was refused.
func knock(ctx context.Context, address string) error {
	for ctx.Err() == nil {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		c.Close()
	}
	return nil
}
