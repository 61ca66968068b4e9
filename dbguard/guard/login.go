package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// client is a connection that has logged in: it knows the password of generation
// gen, or an upstream has let it in. It was not told yet that it can go on: welcome
// (resume when the login was relayed) or refuse comes next.
type client struct {
	net.Conn       // without deadlines; nothing of it was read beyond the login
	gen            int
	user, database string
	params         map[string]string // all startup parameters but user, database and _pq_.*
	version        uint32            // the protocol that is spoken: 3.0 to 3.2 (major<<16 | minor)
	upstream       *loggedIn         // when the login was relayed: its upstream session, the receiver's to end; else nil
}

// farewell bounds the write of a message that nothing may wait for.
const farewell = time.Second

// keySize returns the length of the secret in BackendKeyData for a client of a
// server of that server_version: 32 bytes from Postgres 18 on in protocol 3.2,
// which made it variable, else 4. pgx's own tests look at it.
func (c *client) keySize(server string) int {
	if c.version < pgproto3.ProtocolVersion32 || major(server) < 18 {
		return 4
	}
	return 32
}

// welcome tells the client that its session has begun. Notices, of the upstream's
// login, come before ReadyForQuery.
func (c *client) welcome(status map[string]string, notices []*pgproto3.NoticeResponse, pid uint32, key []byte) error {
	var all []pgproto3.BackendMessage
	for _, name := range slices.Sorted(maps.Keys(status)) {
		all = append(all, &pgproto3.ParameterStatus{Name: name, Value: status[name]})
	}
	all = append(all, &pgproto3.BackendKeyData{ProcessID: pid, SecretKey: key})
	for _, n := range notices {
		all = append(all, n)
	}
	all = append(all, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	_ = c.SetWriteDeadline(time.Now().Add(loginTimeout))
	if _, err := c.Write(encode(all...)); err != nil {
		return fmt.Errorf("begin the client's session: %w", err)
	}
	return c.SetWriteDeadline(time.Time{})
}

// refuse tells the client why there is no session for it, as an error of severity
// FATAL whatever e says, and closes it.
func (c *client) refuse(e *pgproto3.ErrorResponse) {
	fatal := *e
	fatal.Severity, fatal.SeverityUnlocalized = "FATAL", "FATAL"
	dismiss(c.Conn, encode(&fatal))
}

// dismiss sends the last words and closes the connection.
func dismiss(conn net.Conn, words []byte) {
	_ = conn.SetWriteDeadline(time.Now().Add(farewell))
	_, _ = conn.Write(words)
	_ = conn.Close()
}

// encode returns messages as they go over the wire.
func encode(messages ...pgproto3.BackendMessage) []byte {
	var out []byte
	for _, m := range messages {
		// Encode fails for a message over 1 GiB alone: ours are far smaller.
		if b, err := m.Encode(out); err == nil {
			out = b
		}
	}
	return out
}

// refusal is the end of a login that its client is told the reason of.
type refusal struct{ pgproto3.ErrorResponse }

func (r *refusal) Error() string {
	if r.Detail == "" {
		return r.Message
	}
	return r.Message + ": " + r.Detail
}

// fatal returns a refusal with an SQLSTATE, a message and perhaps a detail.
func fatal(code, message string, detail ...string) *refusal {
	r := &refusal{pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message}}
	if len(detail) > 0 {
		r.Detail = detail[0]
	}
	return r
}

// attend is the life of a connection: login, then what it asked for.
func (l *listener) attend(g *guest) {
	_ = g.SetDeadline(time.Now().Add(l.o.timeout))
	in := &intake{r: g, left: loginBytes}
	start, cancel, err := negotiate(in, g)
	var c *client
	switch {
	case start == nil:
	case l.o.upstream != nil:
		c, err = l.relayLogin(g, in, start)
	default:
		c, err = l.login(g, in, start)
	}
	if !l.room.leave(g) {
		err = errShownOut
		if c != nil && c.upstream != nil {
			c.upstream.leave()
		}
	}
	switch {
	case err != nil:
		l.reject(g.Conn, err)
	case cancel != nil:
		// Its client waits until we close, to know that the cancel was passed on.
		l.o.cancel(l.served, cancel.pid, cancel.secret)
		_ = g.Conn.Close()
	default:
		_ = c.SetDeadline(time.Time{})
		l.o.serve(l.served, c)
		_ = c.Close()
	}
}

// errShownOut ends the login of a guest whose connection was closed by the room.
var errShownOut = errors.New("it was silent while others waited, or the listener was closed")

// reject ends a connection that did not log in. What is logged is for debugging:
// anyone on the machine can cause it as often as he likes.
func (l *listener) reject(conn net.Conn, err error) {
	l.o.log.Debug("login refused", "listener", l.addr().String(), "reason", err.Error())
	var told *refusal
	var version *versionError
	switch {
	case errors.As(err, &told):
		dismiss(conn, encode(&told.ErrorResponse))
	case errors.As(err, &version):
		dismiss(conn, version.answer())
	default:
		_ = conn.Close()
	}
}

// client returns who has sent a startup message over conn.
func (s *startup) client(conn net.Conn) *client {
	c := &client{Conn: conn, user: s.params["user"], database: s.params["database"], params: s.params}
	if c.database == "" {
		c.database = c.user
	}
	delete(c.params, "user")
	delete(c.params, "database")
	return c
}

// login asks a client for the password.
func (l *listener) login(g *guest, in *intake, start *startup) (*client, error) {
	c := start.client(g.Conn)
	version, told := start.settle()
	c.version = version
	var out []pgproto3.BackendMessage
	if told != nil {
		out = append(out, told)
	}
	out = append(out, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{scramMechanism}})
	if _, err := g.Write(encode(out...)); err != nil {
		return nil, err
	}
	fits, err := l.exchange(g, in, c.user)
	if err != nil {
		return nil, err
	}
	c.gen = fits.gen
	return c, nil
}

// exchange does SCRAM up to AuthenticationOk and returns the secret that fits.
func (l *listener) exchange(conn net.Conn, in *intake, user string) (*secret, error) {
	s := newScram(l.o.salt)
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
	reply, fits, err := s.final(msg, l.o.secrets())
	if err != nil {
		return nil, err
	}
	if fits == nil {
		return nil, fatal("28P01", fmt.Sprintf("password authentication failed for user \"%s\"", user))
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
		return nil, fatal("08P01", "invalid message format")
	}
	if mechanism != scramMechanism {
		return nil, fatal("08P01", "client selected an invalid SASL authentication mechanism")
	}
	size, msg := int32(binary.BigEndian.Uint32(rest)), rest[4:]
	switch {
	case size == -1 && len(msg) == 0:
		return challenge(conn, in, nil)
	case int(size) != len(msg):
		return nil, fatal("08P01", "invalid message format")
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
		return nil, nil, fatal("08P01", fmt.Sprintf("expected SASL response, got message type %d", head[0]))
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > loginBytes {
		return nil, nil, errPacket
	}
	body, err = in.next(int(size) - 4)
	return head, body, err
}
