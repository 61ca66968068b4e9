package guard

import (
	"context"
	"net/netip"
	"sync"

	"github.com/devguard/devguard/dbguard/login"
)

// listeners are the addresses of ours that stand for one upstream.
type listeners struct {
	work *background

	mu    sync.Mutex
	own   *login.Listener // that the app's URL leads to; nil while there is none
	fixed *login.Listener // of the configured address; nil while there is none
	tried bool            // somebody opens fixed, or has
}

// app returns the listener that the app's URL leads to, nil when there is none.
func (l *listeners) app() *login.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.own
}

// open makes sure that there is a listener that the app's URL leads to, with options
// for a new one. Its port stays for the Guard's life.
func (l *listeners) open(o login.Options) (*login.Listener, error) {
	if there := l.app(); there != nil {
		return there, nil
	}
	opened, err := login.Listen("tcp4", "127.0.0.1:0", o)
	if err != nil {
		return nil, err
	}
	there := l.add(opened)
	if there != opened {
		opened.Close(l.work.ctx)
	}
	if there == nil {
		return nil, context.Canceled
	}
	return there, nil
}

// add takes a listener for the app's URL unless there is one, and returns which it is;
// nil when the Guard is closed.
func (l *listeners) add(opened *login.Listener) *login.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own == nil && !l.work.stopped() {
		l.own = opened
	}
	return l.own
}

// tryFixed reports whether the caller is to open the fixed address: nobody has
// begun to.
func (l *listeners) tryFixed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	tried := l.tried
	l.tried = true
	return !tried
}

// setFixed takes the listener of the fixed address; when the Guard is closed it closes
// it.
func (l *listeners) setFixed(opened *login.Listener) {
	l.mu.Lock()
	stopped := l.work.stopped()
	if !stopped {
		l.fixed = opened
	}
	l.mu.Unlock()
	if stopped {
		opened.Close(l.work.ctx)
	}
}

// giveUpFixed lets go of the fixed address; who is served there stays.
func (l *listeners) giveUpFixed() {
	l.mu.Lock()
	fixed := l.fixed
	l.mu.Unlock()
	if fixed != nil {
		fixed.StopAccepting()
	}
}

// addresses returns those that are listened on.
func (l *listeners) addresses() (list []netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range []*login.Listener{l.own, l.fixed} {
		if one != nil {
			list = append(list, addrPort(one.Addr()))
		}
	}
	return list
}

// close ends every session; ctx bounds how politely.
func (l *listeners) close(ctx context.Context) {
	l.mu.Lock()
	all := []*login.Listener{l.own, l.fixed}
	l.mu.Unlock()
	for _, one := range all {
		if one != nil {
			one.Close(ctx)
		}
	}
}
