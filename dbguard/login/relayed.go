package login

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// The clients of a listener that relays logins know no password of ours. The upstream
// itself checks them: their login is passed on byte for byte up to AuthenticationOk.
//
// pgconn cannot do that: it logs in with a password that it knows. It does what comes
// before and after: it looks hosts up, dials one address after the other, begins TLS,
// bounds all of it by connect_timeout, and knows how to cancel the session.

const (
	// upstreamTimeout bounds a relayed login as a whole. It is a guess: a hosted
	// server that was asleep takes some seconds, its client may be gone by then.
	upstreamTimeout = 30 * time.Second

	// loginReply bounds what an upstream may say before ReadyForQuery, in bytes.
	loginReply = 256 << 10
)

// relayedLogin is one login that is relayed.
type relayedLogin struct {
	client  *pendingLogin
	in      *intake
	timeout time.Duration // of each answer of the client's
	start   *startup
	terms   terms
	version uint32 // the protocol that is spoken

	conn     net.Conn // the upstream
	from     *intake  // of conn
	progress progress
	away     []byte // the last upstream's error that the client was not told: another address was tried

	err  error              // why the login has failed for good
	stop context.CancelFunc // keeps pgconn from trying another address then
}

// progress is how far the client has come.
type progress int

const (
	untold   progress = iota // nothing was said to it: another upstream may be tried
	told                     // it was told something of the upstream's
	answered                 // it has answered an authentication request
)

// refusedUpstream ends a login whose client has got the upstream's own error.
type refusedUpstream struct{ sqlstate string }

func (r *refusedUpstream) Error() string { return "the server has refused the login: " + r.sqlstate }

// unrelayable is the refusal of a login that the upstream might have accepted from the
// client itself.
type unrelayable struct{ *refusal }

func (u *unrelayable) Unwrap() error { return u.refusal }

func cannotRelay(code, message string, detail ...string) error {
	return &unrelayable{refuse(code, message, detail...)}
}

// relayTo is where a login is relayed to, on which terms, and the client's generation.
type relayTo struct {
	upstream *pgconn.Config
	terms    terms
	gen      int
}

// relayLogin has the upstream check a client.
func (l *Listener) relayLogin(p *pendingLogin, in *intake, start *startup, to relayTo) (*Client, error) {
	p.wait(true)
	defer p.wait(false)
	_ = p.SetDeadline(time.Time{}) // from here on each turn of the client's has its own
	c := l.client(start, p.Conn)
	c.Gen = to.gen
	r := &relayedLogin{client: p, in: in, timeout: l.o.timeout, start: start, terms: to.terms, version: start.version}
	server, err := r.run(l.accepting, to.upstream)
	if err != nil {
		return nil, err
	}
	c.Server, c.version = server, r.version
	return c, nil
}

// cannotConnect ends the login of a client that cannot reach the server through us. It is told
// why, unless that is the network: see Unreachable.
func cannotConnect(err error) error {
	if Unreachable(err) {
		return unreachable{err}
	}
	return refuse("08001", "cannot connect to the database server", err.Error())
}

// run does the login.
func (r *relayedLogin) run(ctx context.Context, upstream *pgconn.Config) (*ServerConn, error) {
	if upstream.ChannelBinding == "require" {
		return nil, cannotRelay("28000", "channel_binding=require cannot be kept by a listener that relays logins")
	}
	ctx, r.stop = context.WithTimeout(ctx, upstreamTimeout)
	defer r.stop()
	config := upstream.Copy()
	config.AfterNetConnect = r.login
	config.RequireAuth = ""      // the client sees for itself how the upstream checks it
	config.ValidateConnect = nil // of target_session_attrs: likewise
	server, err := Connect(ctx, config)
	switch {
	case r.err != nil:
		return nil, r.err
	case err != nil && r.away != nil:
		_ = r.tell(r.away)
		return nil, refusedBy(r.away)
	case err != nil:
		return nil, cannotConnect(plain(err))
	}
	return server, nil
}

// connectError is what pgconn says about its connects, without the user and database of the config,
// which are not the client's, and without its name for our part in them.
type connectError struct{ error }

func (e connectError) Error() string {
	return strings.ReplaceAll(e.error.Error(), "AfterNetConnect failed: ", "")
}

func (e connectError) Unwrap() error { return e.error }

func plain(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return connectError{err}
}

// login does the login over a connection that pgconn has made, and returns what
// pgconn is to go on with. It is called for each address, until one lets the client
// in.
func (r *relayedLogin) login(ctx context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
	if r.err != nil {
		return conn, r.err
	}
	if secure, ok := conn.(*tls.Conn); ok {
		if err := secure.HandshakeContext(ctx); err != nil {
			return conn, fmt.Errorf("TLS with %s: %w", conn.RemoteAddr(), err)
		}
	}
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	r.conn, r.from = conn, &intake{r: conn, left: loginReply}
	rest, err := r.relay()
	if !release() {
		err = cannotConnect(context.Cause(ctx))
	}
	if away := new(pgconn.PgError); err != nil && !errors.As(err, &away) {
		r.err = err
		r.stop()
	}
	return &loggedIn{conn, bytes.NewReader(rest)}, err
}

// loggedIn is an upstream's connection after a login. To pgconn it repeats what the
// upstream has said since AuthenticationOk, and nothing more; what pgconn writes, its
// startup message, goes nowhere.
type loggedIn struct {
	net.Conn
	said io.Reader
}

func (l *loggedIn) Read(p []byte) (int, error) { return l.said.Read(p) }

func (l *loggedIn) Write(p []byte) (int, error) { return len(p), nil }

// relay passes the login on, and returns what the upstream says from
// AuthenticationOk to ReadyForQuery.
func (r *relayedLogin) relay() ([]byte, error) {
	if _, err := r.conn.Write(r.start.raw); err != nil {
		return nil, cannotConnect(err)
	}
	ok, err := r.authenticate()
	if err != nil {
		return nil, err
	}
	return r.collect(ok)
}

// read reads the next message of the upstream's.
func (r *relayedLogin) read() (msg []byte, err error) {
	head, err := r.from.next(5)
	if err != nil {
		return nil, cannotConnect(fmt.Errorf("it ends the login: %w", err))
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > loginReply {
		return nil, cannotConnect(errPacket)
	}
	body, err := r.from.next(int(size) - 4)
	if err != nil {
		return nil, cannotConnect(fmt.Errorf("it ends the login: %w", err))
	}
	return append(head, body...), nil
}

// tell passes a message of the upstream's on to the client.
func (r *relayedLogin) tell(msg []byte) error {
	r.progress = max(r.progress, told)
	_ = r.client.SetDeadline(time.Now().Add(r.timeout))
	_, err := r.client.Write(msg)
	return err
}

// authenticate passes messages both ways up to AuthenticationOk, which it returns;
// that is not passed on before the client has proved something.
func (r *relayedLogin) authenticate() (ok []byte, err error) {
	for {
		msg, err := r.read()
		if err != nil {
			return nil, err
		}
		switch msg[0] {
		case 'R':
			done, err := r.request(msg)
			if done || err != nil {
				return msg, err
			}
		case 'E':
			return nil, r.refused(msg)
		case 'v':
			var v pgproto3.NegotiateProtocolVersion
			if v.Decode(msg[5:]) == nil && v.NewestMinorProtocol>>16 == 3 {
				r.version = min(r.version, v.NewestMinorProtocol)
			}
			fallthrough
		case 'N':
			if err := r.tell(msg); err != nil {
				return nil, err
			}
		default:
			return nil, cannotConnect(fmt.Errorf("unexpected message %q during the login", msg[0]))
		}
	}
}

// refused ends the login at this upstream by its error. While the client was told
// nothing, pgconn decides whether another one is tried, by the same rules as for its
// own logins.
func (r *relayedLogin) refused(msg []byte) error {
	var e pgproto3.ErrorResponse
	if r.progress == untold && e.Decode(msg[5:]) == nil {
		r.away = msg
		return pgconn.ErrorResponseToPgError(&e)
	}
	if err := r.tell(msg); err != nil {
		return err
	}
	return refusedBy(msg)
}

// refusedBy returns how an ErrorResponse ends a login.
func refusedBy(msg []byte) error {
	var e pgproto3.ErrorResponse
	_ = e.Decode(msg[5:]) // what cannot be read has no SQLSTATE
	return &refusedUpstream{e.Code}
}

// request passes an authentication request on, and its answer back when one is due.
func (r *relayedLogin) request(msg []byte) (done bool, err error) {
	if len(msg) < 9 {
		return false, cannotConnect(errPacket)
	}
	switch kind := binary.BigEndian.Uint32(msg[5:]); kind {
	case pgproto3.AuthTypeOk:
		if r.progress < answered && r.terms != noPassword {
			return false, cannotRelay("28000", "the database server asks for no password, so this listener of devguard, which relays logins, lets nobody in",
				"Otherwise whoever can connect to the listener could use the database with devguard's rights.")
		}
		return true, r.tell(msg)
	case pgproto3.AuthTypeSASLFinal:
		return false, r.tell(msg)
	case pgproto3.AuthTypeSASL:
		if msg, err = withoutBinding(msg); err != nil {
			return false, err
		}
	case pgproto3.AuthTypeCleartextPassword:
		if r.terms != anyPassword {
			return false, cannotRelay("28000", "the database server asks for the password in clear text, which devguard never asks the app for")
		}
	case pgproto3.AuthTypeMD5Password, pgproto3.AuthTypeSASLContinue:
	default:
		return false, cannotRelay("0A000", fmt.Sprintf("the database server asks for authentication of type %d, which cannot be relayed", kind))
	}
	if err := r.tell(msg); err != nil {
		return false, err
	}
	return false, r.answer()
}

// answer passes the client's answer on.
func (r *relayedLogin) answer() error {
	r.client.wait(false)
	defer r.client.wait(true)
	head, body, err := readResponse(r.in)
	if err != nil {
		return err
	}
	if _, err := r.conn.Write(append(head, body...)); err != nil {
		return cannotConnect(err)
	}
	r.progress = answered
	return nil
}

// withoutBinding takes out of a list of SASL mechanisms those that bind to the TLS
// channel: the client's ends at us.
func withoutBinding(msg []byte) ([]byte, error) {
	m := &pgproto3.AuthenticationSASL{}
	for name := range bytes.SplitSeq(bytes.TrimRight(msg[9:], "\x00"), []byte{0}) {
		if !strings.HasSuffix(string(name), "-PLUS") && len(name) > 0 {
			m.AuthMechanisms = append(m.AuthMechanisms, string(name))
		}
	}
	if len(m.AuthMechanisms) == 0 {
		return nil, cannotRelay("28000", "the database server insists on channel binding, which a listener that relays logins cannot offer")
	}
	return encode(m), nil
}

// collect appends to what the upstream has said what follows, up to ReadyForQuery.
func (r *relayedLogin) collect(said []byte) ([]byte, error) {
	for {
		msg, err := r.read()
		if err != nil {
			return nil, err
		}
		if msg[0] == 'E' {
			_ = r.tell(msg)
			return nil, refusedBy(msg)
		}
		if said = append(said, msg...); msg[0] == 'Z' {
			return said, nil
		}
	}
}
