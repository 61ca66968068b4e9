package login

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/supervisor/logline"
)

// attend is the life of a connection: login, then what it asked for.
func (l *Listener) attend(p *pendingLogin) {
	_ = p.SetDeadline(time.Now().Add(l.o.timeout))
	o := &opening{conn: p.Conn, in: &intake{r: p.Conn, left: loginBytes}}
	start, cancel, err := o.negotiate(func(code uint32) error { return l.answer(p, o, code) })
	var c *Client
	switch {
	case start != nil:
		c, err = l.admit(p, o, start)
	case err != nil && l.o.LeftForTLS != nil && o.leftForTLS(err):
		l.o.LeftForTLS()
	case err != nil && o.wanted(err):
		l.tell(l.encrypting(p, o), WantsTLS)
	}
	if !l.pending.leave(p) {
		err = errTooSlow
		if c != nil && c.Server != nil {
			c.Server.Close()
		}
	}
	switch {
	case err != nil:
		l.reject(o.conn, err)
	case cancel != nil:
		// Its client waits until we close, to know that the cancel was passed on.
		l.keys.request(l.served, cancel.pid, cancel.secret)
		_ = o.conn.Close()
	default:
		_ = c.SetDeadline(time.Time{})
		l.o.Serve(l.served, c)
		_ = c.Close()
	}
}

// errTooSlow ends a login that pendingLogins has closed.
var errTooSlow = errors.New("it was too slow while others waited, or the listener was closed")

// refusal is the end of a login that its client is told the reason of.
type refusal struct{ *pgproto3.ErrorResponse }

func (r *refusal) Error() string {
	if r.Detail == "" {
		return r.Message
	}
	return r.Message + ": " + r.Detail
}

// refuse returns a refusal with an SQLSTATE, a message and perhaps a detail.
func refuse(code, message string, detail ...string) *refusal {
	return &refusal{Fatal(code, message, detail...)}
}

// reject ends a connection that did not log in. What is logged is for debugging:
// anyone on the machine can cause it as often as he likes.
func (l *Listener) reject(conn net.Conn, err error) {
	logline.LoginRefused(l.Addr().String(), err).To(l.o.Log)
	var told *refusal
	var version *versionError
	var down unreachable
	switch {
	case errors.As(err, &down):
		reset(conn)
	case errors.As(err, &told):
		goodbye(conn, encode(told.ErrorResponse))
	case errors.As(err, &version):
		goodbye(conn, version.answer())
	default:
		_ = conn.Close()
	}
}

// client returns who has sent a startup message over conn.
func (l *Listener) client(s *startup, conn net.Conn) *Client {
	c := &Client{Conn: conn, User: s.params["user"], Database: s.params["database"], Params: s.params, keys: &l.keys}
	if c.Database == "" {
		c.Database = c.User
	}
	delete(c.Params, "user")
	delete(c.Params, "database")
	return c
}

// login asks a client for the password.
func (l *Listener) login(p *pendingLogin, o *opening, start *startup) (*Client, error) {
	c := l.client(start, o.conn)
	c.Encrypted = o.privacy == encrypted
	version, told := start.settle()
	c.version = version
	if err := l.reach(p, o); err != nil {
		return nil, err
	}
	var out []pgproto3.BackendMessage
	if told != nil {
		out = append(out, told)
	}
	out = append(out, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{scramMechanism}})
	suspect := l.suspect(p, o) // before it is asked: it may leave at once
	if _, err := o.conn.Write(encode(out...)); err != nil {
		return nil, err
	}
	fits, err := l.exchange(o.conn, o.in)
	if err != nil {
		return nil, l.failed(p, o, suspect, c.User, err)
	}
	c.Gen = fits.gen
	return c, nil
}

// failed says what a client wanted in vain whose exchange has ended by err, and returns
// how its login ends.
func (l *Listener) failed(p *pendingLogin, o *opening, suspect Owner, user string, err error) error {
	switch {
	case errors.Is(err, errWrongPassword):
		l.tell(l.owner(p), OtherPassword)
		return refuse("28P01", fmt.Sprintf("password authentication failed for user \"%s\"", user))
	case hasLeft(err) && o.privacy == encrypted:
		l.tell(suspect, WantsTLS) // by channel_binding=require, say
	case hasLeft(err):
		l.suspected.Store(suspects)
		l.tell(suspect, NoPassword)
	}
	return err
}

// errWrongPassword is the end of an exchange in which no secret fits.
var errWrongPassword = errors.New("the password is none of ours")

// exchange does SCRAM up to AuthenticationOk and returns the secret that fits.
func (l *Listener) exchange(conn net.Conn, in *intake) (*Secret, error) {
	s := newScram(l.salt)
	msg, err := initialResponse(conn, in)
	if err != nil {
		return nil, err
	}
	reply, err := s.first(msg)
	if err != nil {
		return nil, err
	}
	if msg, err = challenge(conn, in, reply); err != nil {
		return nil, err
	}
	reply, fits, err := s.final(msg, l.o.Secrets())
	if err != nil {
		return nil, err
	}
	if fits == nil {
		return nil, errWrongPassword
	}
	_, err = conn.Write(encode(&pgproto3.AuthenticationSASLFinal{Data: reply}, &pgproto3.AuthenticationOk{}))
	return fits, err
}

// initialResponse returns the client-first-message, which may come with the choice
// of the mechanism or when asked for.
func initialResponse(conn net.Conn, in *intake) ([]byte, error) {
	_, body, err := readResponse(in)
	if err != nil {
		return nil, err
	}
	mechanism, rest, ok := cutString(body)
	if !ok || len(rest) < 4 {
		return nil, refuse("08P01", "invalid message format")
	}
	if mechanism != scramMechanism {
		return nil, refuse("08P01", "client selected an invalid SASL authentication mechanism")
	}
	size, msg := int32(binary.BigEndian.Uint32(rest)), rest[4:]
	switch {
	case size == -1 && len(msg) == 0:
		return challenge(conn, in, nil)
	case int(size) != len(msg):
		return nil, refuse("08P01", "invalid message format")
	}
	return msg, nil
}

// challenge sends a message of the exchange and returns the client's response.
func challenge(conn net.Conn, in *intake, data []byte) ([]byte, error) {
	if _, err := conn.Write(encode(&pgproto3.AuthenticationSASLContinue{Data: data})); err != nil {
		return nil, err
	}
	_, body, err := readResponse(in)
	return body, err
}

// readResponse reads a message that must be a response to an authentication
// request: its type and length, and its body.
func readResponse(in *intake) (head, body []byte, err error) {
	if head, err = in.next(5); err != nil {
		return nil, nil, err
	}
	if head[0] != 'p' {
		return nil, nil, refuse("08P01", fmt.Sprintf("expected SASL response, got message type %d", head[0]))
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > loginBytes {
		return nil, nil, errPacket
	}
	body, err = in.next(int(size) - 4)
	return head, body, err
}
