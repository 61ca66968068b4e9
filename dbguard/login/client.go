package login

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Client is a connection that has logged in: it knows the password of a generation,
// or its login was relayed. It was not told yet that it can go on: Welcome or Refuse
// comes next. It is the receiver's own, but for Conn, which the listener closes when
// Options.Serve returns.
type Client struct {
	net.Conn                         // without deadlines; nothing of it was read beyond the login
	Gen            int               // the generation whose password it knows, else as Options.Generation says
	User, Database string            // never ""
	Params         map[string]string // all startup parameters but user, database and _pq_.*
	Encrypted      bool              // Conn is TLS: the client has asked for it
	Server         *ServerConn       // the session that a relayed login has opened, the receiver's to end; else nil

	version uint32      // the protocol that is spoken: 3.0 to 3.2 (major<<16 | minor)
	keys    *cancelKeys // of its listener
}

// goodbyeTime bounds the write of a message that nothing may wait for.
const goodbyeTime = time.Second

// Welcome tells the client that its session has begun: what the server said at login,
// and pid as its process id, unless that is 0. From then on, until forget is called, a
// CancelRequest with the key that the client is given calls cancel, possibly several
// times at once, with a context that is done when the client's is; the connection that
// the request came over is closed when cancel returns. forget does not wait for calls
// under way; it must be called, also after an error. The error says that the client is
// gone.
func (c *Client) Welcome(server *ServerConn, pid uint32, cancel func(context.Context)) (forget func(), err error) {
	key, forget := c.keys.add(pid, c.keySize(server.Status["server_version"]), cancel)
	return forget, c.begin(greeting(server, pid, key))
}

// begin sends what opens the client's session.
func (c *Client) begin(words []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(loginTimeout))
	if _, err := c.Write(words); err != nil {
		return fmt.Errorf("begin the client's session: %w", err)
	}
	return c.SetWriteDeadline(time.Time{})
}

// greeting returns what a server says after AuthenticationOk.
func greeting(server *ServerConn, pid uint32, key []byte) []byte {
	var all []pgproto3.BackendMessage
	for _, name := range slices.Sorted(maps.Keys(server.Status)) {
		all = append(all, &pgproto3.ParameterStatus{Name: name, Value: server.Status[name]})
	}
	if pid != 0 {
		all = append(all, &pgproto3.BackendKeyData{ProcessID: pid, SecretKey: key})
	}
	for _, n := range server.Notices {
		all = append(all, n)
	}
	return encode(append(all, &pgproto3.ReadyForQuery{TxStatus: 'I'})...)
}

// keySize returns the length of the secret in BackendKeyData for a client of a
// server of that server_version: 32 bytes from Postgres 18 on in protocol 3.2,
// which made it variable, else 4. pgx's own tests look at it.
func (c *Client) keySize(server string) int {
	var major int
	_, _ = fmt.Sscanf(server, "%d", &major)
	if c.version < pgproto3.ProtocolVersion32 || major < 18 {
		return 4
	}
	return 32
}

// Refuse tells the client why there is no session for it, as an error of severity
// FATAL whatever e says, and closes it. It takes a second at most.
func (c *Client) Refuse(e *pgproto3.ErrorResponse) {
	fatal := *e
	fatal.Severity, fatal.SeverityUnlocalized = "FATAL", "FATAL"
	goodbye(c.Conn, encode(&fatal))
}

// Reset closes the client's connection with a TCP reset, without a word. It is the nearest to a
// refused connection for a client that we have let in.
func (c *Client) Reset() { reset(c.Conn) }

func reset(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// goodbye sends the last words and closes the connection.
func goodbye(conn net.Conn, words []byte) {
	_ = conn.SetWriteDeadline(time.Now().Add(goodbyeTime))
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

// Fatal returns the error that ends a session or a login: its SQLSTATE, a message,
// and perhaps a detail.
func Fatal(code, message string, detail ...string) *pgproto3.ErrorResponse {
	e := &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message}
	if len(detail) > 0 {
		e.Detail = detail[0]
	}
	return e
}
