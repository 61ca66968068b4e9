package guard

import (
	"cmp"
	"crypto/tls"
	"sync"

	"github.com/devguard/devguard/dbguard/dsn"
)

// upstream is one distinct server, database and user of the app's environment, with
// all that is done there. Its parts have locks of their own.
type upstream struct {
	*endpoint
	shared

	prober     *prober
	spares     *spares
	sessions   *sessions
	listeners  *listeners
	forDrain   *forDrain
	mismatches *mismatches
	conflicts  conflicts
	uncarried  uncarried

	mu      sync.Mutex
	first   int           // the first generation that was given it and not drained; 0: none
	last    int           // the last generation that was given it
	swept   chan struct{} // closed when what killed devguards left is ended; nil when nobody began
	unclean bool          // the last drain failed or left something
}

// shared is what the upstreams of a Guard have in common.
type shared struct {
	labels    labels
	log       *logger
	work      *background
	sockets   *appSockets
	addresses *Addresses
	pids      func() (gen int, pids []int) // the app's processes now; may be nil
	replace   func()                       // asks for a new start of the app; may be nil

	certificate func() *tls.Config // of our listeners; nil when it cannot be made
}

func newUpstream(id dsn.Identity, to access, s shared) *upstream {
	e := &endpoint{id: id, name: id.String(), now: &to}
	u := &upstream{
		endpoint: e, shared: s, listeners: &listeners{work: s.work},
		spares:   &spares{endpoint: e, log: s.log, work: s.work},
		sessions: newSessions(s.work, s.sockets),
	}
	u.prober = &prober{endpoint: e, log: s.log, work: s.work, onFallback: u.askReplacement}
	u.forDrain = &forDrain{endpoint: e, prober: u.prober, labels: s.labels, work: s.work}
	u.mismatches = &mismatches{endpoint: e, shared: s, prober: u.prober, sessions: u.sessions}
	return u
}

// askReplacement has an app that was given our address started again, with its own URL.
func (u *upstream) askReplacement() {
	if u.replace != nil && u.sessions.given() {
		u.replace()
	}
}

// giveTo says that generation gen is given the upstream.
func (u *upstream) giveTo(gen int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.first, u.last = cmp.Or(u.first, gen), gen
}

// usedUntil reports whether a generation up to gen was given the upstream that was
// not drained since.
func (u *upstream) usedUntil(gen int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.first > 0 && u.first <= gen
}

// drained makes the upstream wait for the next generation that is given it.
func (u *upstream) drained(gen int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.first = 0
	if u.last > gen {
		u.first = gen + 1
	}
}

// expectSweep returns what the caller is to close when it has ended what killed
// devguards left; nil when somebody has begun.
func (u *upstream) expectSweep() chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.swept != nil {
		return nil
	}
	u.swept = make(chan struct{})
	return u.swept
}

// sweeping returns what is closed at the end of the sweep, nil when nobody has begun.
func (u *upstream) sweeping() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.swept
}

// setClean says whether a drain has found and ended all there was.
func (u *upstream) setClean(clean bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unclean = !clean
}

// clean reports what the last drain has found; true when there was none.
func (u *upstream) clean() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.unclean
}
