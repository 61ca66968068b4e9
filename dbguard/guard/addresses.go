package guard

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// Addresses are the fixed addresses that the Guards of one devguard listen on. After an
// edit of devguard.toml there are two Guards until the app that runs has ended, which was
// started with the earlier one. That keeps its address, however long it takes; then the
// socket passes to the next Guard that wants it, so that no client is refused in between.
type Addresses struct {
	mu    sync.Mutex
	taken map[string]*takenAddress
}

// takenAddress is an address that a Guard has, or is about to have.
type takenAddress struct {
	by   *background // of that Guard
	line []*turn     // of later ones, in order
}

// turn is the place of a Guard in the line for an address.
type turn struct {
	addresses *Addresses
	address   string
	by        *background
	given     chan net.Listener // of one; closed when the address could not be passed on
}

// NewAddresses returns the addresses for all Guards of one devguard.
func NewAddresses() *Addresses { return &Addresses{taken: map[string]*takenAddress{}} }

// listen opens an address for a Guard. When an earlier one has it, it returns the turn
// to wait for instead. Closing the listener passes the address on.
func (a *Addresses) listen(by *background, address string) (net.Listener, *turn, error) {
	if at, err := net.ResolveTCPAddr("tcp", address); err == nil {
		address = at.String() // localhost is 127.0.0.1
	}
	t, free := a.enter(by, address)
	switch {
	case t != nil:
		return nil, t, nil
	case !free: // as the system would say
		at, _ := net.ResolveTCPAddr("tcp", address)
		return nil, nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		a.free(address)
		return nil, nil, err
	}
	return &fixedListener{Listener: l, addresses: a, address: address}, nil, nil
}

// enter takes an address that is free, or a turn when another Guard has it. The Guard
// itself may have it already: two of its databases are configured to.
func (a *Addresses) enter(by *background, address string) (t *turn, free bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	has := a.taken[address]
	switch {
	case has == nil:
		a.taken[address] = &takenAddress{by: by}
		return nil, true
	case has.by == by:
		return nil, false
	}
	t = &turn{addresses: a, address: address, by: by, given: make(chan net.Listener, 1)}
	has.line = append(has.line, t)
	return t, false
}

// free forgets an address that could not be had; those in line try for themselves.
func (a *Addresses) free(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.taken[address].line {
		close(t.given)
	}
	delete(a.taken, address)
}

// next gives an address to the first in line; nil when nobody wants it.
func (a *Addresses) next(address string) *turn {
	a.mu.Lock()
	defer a.mu.Unlock()
	has := a.taken[address]
	if len(has.line) == 0 {
		delete(a.taken, address)
		return nil
	}
	t := has.line[0]
	has.by, has.line = t.by, has.line[1:]
	return t
}

// leave takes a turn out of the line, and returns false when it has come.
func (a *Addresses) leave(t *turn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	has := a.taken[t.address]
	if has == nil {
		return false
	}
	i := slices.Index(has.line, t)
	if i >= 0 {
		has.line = slices.Delete(has.line, i, i+1)
	}
	return i >= 0
}

// await waits for the turn, and returns nil when ctx ends first or the address could
// not be passed on.
func (t *turn) await(ctx context.Context) net.Listener {
	select {
	case l := <-t.given:
		return l
	case <-ctx.Done():
	}
	if t.addresses.leave(t) {
		return nil
	}
	if l := <-t.given; l != nil { // just now
		_ = l.Close()
	}
	return nil
}

// fixedListener is the socket of a fixed address while one Guard has it.
type fixedListener struct {
	net.Listener
	addresses *Addresses
	address   string
	closing   sync.Once
}

// Close ends Accept. The socket passes to the next Guard that wants it.
func (l *fixedListener) Close() (err error) {
	l.closing.Do(func() {
		t := l.addresses.next(l.address)
		if t == nil {
			err = l.Listener.Close()
			return
		}
		var moved net.Listener
		if moved, err = move(l.Listener); err != nil {
			l.addresses.free(l.address)
			close(t.given)
			return
		}
		t.given <- &fixedListener{Listener: moved, addresses: l.addresses, address: l.address}
	})
	return err
}

// move closes a listener and returns another one for its socket, with the connections
// that wait there to be accepted.
func move(l net.Listener) (net.Listener, error) {
	socket, err := l.(*net.TCPListener).File()
	_ = l.Close()
	if err != nil { // Windows has no such thing
		return net.Listen("tcp", l.Addr().String())
	}
	defer socket.Close()
	return net.FileListener(socket)
}
