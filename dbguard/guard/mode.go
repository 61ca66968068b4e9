package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// mode is what is done with the sessions of an upstream, in the words of the
// configuration and of the log.
type mode string

const (
	modeAuto        mode = "auto"
	modeSession     mode = "session"     // through us, bytes as they are
	modeTransaction mode = "transaction" // through us, prepared statements rewritten
	modeDrain       mode = "drain"       // past us; ended after each generation
	modeOff         mode = "off"
)

// proxies reports whether the app's URL leads to us in this mode.
func (m mode) proxies() bool { return m == modeAuto || m == modeSession || m == modeTransaction }

// modeOf returns what is done on u; modeAuto while that is not known.
func (g *Guard) modeOf(u *upstream) mode {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, _ := u.probe.result()
	return u.mode(v)
}

// mode returns what a verdict makes of u; the caller holds Guard.mu.
//
// What pools in a way that could not be found out is taken for a transaction
// pooler: what is done for one is right on any server, the other way round not.
func (u *upstream) mode(v verdict) mode {
	switch {
	case u.proxy.fallen != "":
		return modeDrain
	case u.access.wish != modeAuto:
		return u.access.wish
	}
	switch {
	case !v.connected:
		return modeAuto
	case v.kind == postgres || v.kind == sessionPooler:
		return modeSession
	}
	return modeTransaction
}

// settleMode returns what is done on u for a client that has come: it waits for
// the probe, and probes again a server that could not be reached. modeAuto is
// the answer when that is so still.
func (g *Guard) settleMode(ctx context.Context, u *upstream) mode {
	if m := g.modeOf(u); m != modeAuto {
		return m
	}
	for range 2 { // the probe under way may have begun while the server was down
		g.ensureProbe(u)
		g.awaitProbe(ctx, u)
		if m := g.modeOf(u); m != modeAuto {
			return m
		}
	}
	return modeAuto
}

// decline sends the app past us from the start.
func (g *Guard) decline(u *upstream, reason string) {
	g.mu.Lock()
	if u.proxy.fallen == "" {
		u.proxy.fallen = reason
	}
	g.mu.Unlock()
}

func (g *Guard) fallenOf(u *upstream) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return u.proxy.fallen
}

// fallIfOurs gives up on standing between the app and u when we cannot log in for
// a reason that the app would not have: it must never be worse off for us. An app
// that was given our address is restarted once, with its own URL.
func (g *Guard) fallIfOurs(u *upstream, err error) {
	to := g.access(u)
	if to.wish != modeAuto || g.ctx.Err() != nil || !oursAlone(err) {
		return
	}
	g.mu.Lock()
	first, given := u.proxy.fallen == "", len(u.proxy.issued) > 0
	if first {
		u.proxy.fallen = "devguard cannot log in as the app can: " + explain(err, to.settings).reason
	}
	g.mu.Unlock()
	if !first {
		return
	}
	v, _ := g.verdictOf(u)
	g.sayKind(u, v)
	if given && g.options.Replace != nil {
		g.options.Replace()
	}
}

// oursAlone reports whether a connect failed for a reason that the app's own
// driver would not have. What a server says, a network and a certificate say to
// both.
func oursAlone(err error) bool {
	var server *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &server), errors.As(err, &network), timedOut(err), isCertificate(err):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false
	}
	return !strings.Contains(err.Error(), "server refused TLS connection") // pgconn has no type for it
}
