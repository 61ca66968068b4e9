package login

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// App is what a listener needs to serve those clients of the app itself that want
// something else than the URL which they were given says. Its functions are called
// from any goroutine.
type App struct {
	User  string               // the URL's
	Owner func(net.Conn) Owner // of a connection that is still open

	// Upstream returns where the login of another user is relayed to, nil when the
	// way there would let somebody in who we are, and not who the client is. It is
	// copied.
	Upstream func() *pgconn.Config

	// Reached reports whether the upstream answered when it was last asked. If not, Reach asks it
	// now, for a client of the app, and reports whether it answers.
	Reached func() bool
	Reach   func(context.Context) bool

	// TLS is what a client is answered with that asks for it where the upstream, by
	// Offer, speaks TLS. Clients that have got it are Encrypted, and their upstream
	// must be, too.
	TLS   func() *tls.Config
	Offer func(context.Context) Offer

	// Mismatch is told what a client of the app wanted in vain. It must not block.
	Mismatch func(gen int, m Mismatch)
}

// Owner is who holds the other end of a connection.
type Owner struct {
	Gen      int  // the generation of the app whose process tree does, 0 when it is nobody of ours
	SameUser bool // with Gen: our own user runs all of it
}

// Mismatch is what a client of the app wanted in vain, as its URL does not say it.
type Mismatch string

// The mismatches, as they read after "the app".
const (
	OtherPassword Mismatch = "logs in with a password that is not the one in its URL"
	NoPassword    Mismatch = "has no password for a login that its URL has one for"
	OtherUser     Mismatch = "logs in as another user than the one in its URL"
	WantsTLS      Mismatch = "asks for TLS in its code, and does not take what devguard can give it"
)

// treatment is what is done with a client that logs in as another user than the URL's.
type treatment int

const (
	asStranger treatment = iota // it is asked for our password, and refused then
	passedOn                    // its login is relayed from its beginning
	mismatched                  // it is refused, and the guard is told
)

// treat decides what is done with a client that logs in as another user than the
// URL's; relays says that a login may be relayed. One over TLS never is: a client over
// TLS that is offered no channel binding says so in its SCRAM (gs2 flag "y"), and an
// upstream over TLS, which has offered it, refuses that.
func treat(owner Owner, relays bool, by privacy) treatment {
	switch {
	case owner.Gen == 0:
		return asStranger
	case relays && by != encrypted:
		return passedOn
	}
	return mismatched
}

// terms are those on which a login is relayed.
type terms int

const (
	anyPassword    terms = iota // for anyone: a password must be asked for, of whatever kind
	hiddenPassword              // a password must be asked for, and not in clear text
	noPassword                  // as the server likes it, but for a password in clear text
)

// termsFor returns those for a client of the app: that the server asks for nothing may
// be because of the operating system's user who has the connection (ident), and so
// counts only where that is the client's too.
func termsFor(owner Owner) terms {
	if owner.SameUser {
		return noPassword
	}
	return hiddenPassword
}

// refusesUser reports whether the upstream has refused a login because of who the
// client is: by Postgres's class 28, or in PgBouncer's words, which has one code for all.
// Without us it might have let the client in, whose password may be ours.
func refusesUser(sqlstate string) bool {
	return strings.HasPrefix(sqlstate, "28") || sqlstate == "08P01"
}

// hasLeft reports whether err, of a Read, says that the client itself has closed its
// connection. A process that is killed before it has read what was sent to it resets the
// connection instead.
func hasLeft(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// suspects is for how many logins after one that ended when the client was asked for a
// password it is found out beforehand whose each is: that of a client that has gone
// cannot be.
const suspects = 64

// owner returns whose a connection is.
func (l *Listener) owner(p *pendingLogin) Owner {
	if l.o.App == nil {
		return Owner{}
	}
	p.wait(true)
	defer p.wait(false)
	return l.o.App.Owner(p.Conn)
}

// encrypting returns whose a connection is that has asked for encryption, or has begun
// with it.
func (l *Listener) encrypting(p *pendingLogin, o *opening) Owner {
	if o.privacy == unasked {
		return l.owner(p)
	}
	return o.owner
}

// suspect returns whose a connection is, when that is known, or one before it has left.
func (l *Listener) suspect(p *pendingLogin, o *opening) Owner {
	if o.privacy == encrypted {
		return o.owner
	}
	if l.o.App == nil || l.suspected.Load() <= 0 {
		return Owner{}
	}
	l.suspected.Add(-1)
	return l.owner(p)
}

// tell says what a client wanted in vain, unless it is nobody of ours.
func (l *Listener) tell(owner Owner, m Mismatch) {
	if owner.Gen > 0 {
		l.o.App.Mismatch(owner.Gen, m)
	}
}

// admit lets a client in.
func (l *Listener) admit(p *pendingLogin, o *opening, start *startup) (*Client, error) {
	switch {
	case l.upstream != nil:
		gen := 0
		if l.o.Generation != nil {
			p.wait(true)
			gen = l.o.Generation(p.Conn)
			p.wait(false)
		}
		return l.relayLogin(p, o.in, start, relayTo{l.upstream, anyPassword, gen})
	case l.o.App == nil || start.params["user"] == l.o.App.User:
		return l.login(p, o, start)
	}
	return l.admitOther(p, o, start)
}

// admitOther is admit for a user that is not the URL's.
func (l *Listener) admitOther(p *pendingLogin, o *opening, start *startup) (*Client, error) {
	owner, upstream := l.owner(p), l.o.App.Upstream()
	switch treat(owner, upstream != nil, o.privacy) {
	case asStranger:
		return l.login(p, o, start)
	case mismatched:
		l.tell(owner, OtherUser)
		return nil, refuse("28000", "this address is for another user, and devguard cannot pass on a login on its way to the database")
	}
	c, err := l.relayLogin(p, o.in, start, relayTo{upstream, termsFor(owner), owner.Gen})
	var vain *unrelayable
	var refused *refusedUpstream
	if errors.As(err, &vain) || errors.As(err, &refused) && refusesUser(refused.sqlstate) {
		l.tell(owner, OtherUser)
	}
	return c, err
}
