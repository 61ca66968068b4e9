package guard

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/supervisor/logline"
)

// What the app's own clients may want at our listener that their URL does not say: a
// user, a password or TLS that the app's code has of its own.

// mismatches decides about such clients of one upstream.
type mismatches struct {
	*endpoint
	shared

	prober   *prober
	sessions *sessions
}

// app returns how the listener of the app's URL serves them.
func (c *mismatches) app() *login.App {
	return &login.App{
		User: c.id.User, Owner: c.ownerOf, Upstream: c.relayable, Mismatch: c.hear,
		TLS: c.certificate, Offer: c.offer, Reached: c.prober.reached, Reach: c.prober.reach,
	}
}

// relayable returns where the login of another user may be relayed to, nil when it may
// not.
func (c *mismatches) relayable() *pgconn.Config {
	config := c.access().config
	if carriesIdentity(config) {
		return nil
	}
	return config
}

// carriesIdentity reports whether a server may let a connection in for who we are: by
// the user who connects to a Unix socket, or may at all, or by a client's certificate.
// (The address is this machine's for every process that can reach our listener.)
func carriesIdentity(config *pgconn.Config) bool {
	return slices.ContainsFunc(waysOf(config), func(way *pgconn.FallbackConfig) bool {
		t := way.TLSConfig
		return isUnix(way) || t != nil && (len(t.Certificates) > 0 || t.GetClientCertificate != nil)
	})
}

// offer returns whether the upstream speaks TLS. Once it does, and a client of the app
// has asked for that, every connection of ours there is encrypted, too.
func (c *mismatches) offer(ctx context.Context) login.Offer {
	to := c.access()
	if c.certificate() == nil {
		return login.NotAsked
	}
	offer := login.SpeaksTLS
	if !to.encrypted {
		offer = offerOf(ctx, to.config)
	}
	if offer == login.SpeaksTLS {
		c.encrypt()
	}
	return offer
}

// hear is told what a client of generation gen wanted in vain.
func (c *mismatches) hear(gen int, m login.Mismatch) {
	c.work.start(func() { c.answer(gen, m) })
}

// answer does what a mismatch asks for. It waits a little for the probe, so that one
// `database` line says all.
func (c *mismatches) answer(gen int, m login.Mismatch) {
	stays := c.sessions.admits(gen) && !c.sockets.known(gen)
	switch respond(c.access().wish, c.prober.fallbackReason() != "", stays) {
	case goPast:
		ctx, cancel := context.WithTimeout(c.work.ctx, probeWait)
		defer cancel()
		c.prober.await(ctx)
		c.prober.giveUp("the app " + string(m) + " (" + remedy + ")")
	case warn:
		if c.log.first("mismatch " + c.name + " " + string(m)) {
			logline.Warning(unserved{c.access().wish, m}).To(c.log.Logger)
		}
	}
}

// response is what is done about a mismatch.
type response int

const (
	ignore response = iota
	goPast          // the app is started again with its own URL
	warn            // the mode was asked for: it is only said
)

// respond decides that; stays says that the generation was not told to stop: one that
// was may leave its logins as it likes.
func respond(wish mode, past, stays bool) response {
	switch {
	case past || !stays:
		return ignore
	case wish == modeAuto:
		return goPast
	}
	return warn
}

// remedy is what may be done about any mismatch.
const remedy = `leave user, password and TLS to the URL to use it through devguard, or write mode = "drain" in [[database]] to keep it so`

// unserved says what the app wants that it does not get in a mode that was asked for.
type unserved struct {
	mode mode
	login.Mismatch
}

func (e unserved) Error() string {
	return "the app " + string(e.Mismatch) + `, which mode = "` + string(e.mode) + `" cannot serve`
}

// Hint says what to do about it.
func (unserved) Hint() string { return remedy }
