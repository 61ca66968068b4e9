package login

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A listener with a fixed address has no password of ours that its clients could
// know: they read their URL from somewhere else. So the upstream itself checks
// them: their login is passed on byte for byte, and grants nothing that they could
// not get without us.

const (
	// upstreamTimeout bounds a relayed login as a whole. It is a guess: a hosted
	// server that was asleep takes some seconds, its client may be gone by then.
	upstreamTimeout = 30 * time.Second

	// loginReply bounds what an upstream may say before ReadyForQuery, in bytes.
	loginReply = 256 << 10
)

// Upstream is the session that a relayed login has opened.
type Upstream struct {
	Conn   net.Conn                    // after ReadyForQuery, without deadlines
	Status map[string]string           // ParameterStatus
	PID    uint32                      // the upstream's own; 0 when it has told none
	Cancel func(context.Context) error // sends a CancelRequest; returns when the upstream has closed that connection; nil without a PID

	before, after []byte // what the client was not told yet, around BackendKeyData
}

// Leave ends a session that nobody is going to use.
func (u *Upstream) Leave() {
	if b, err := (&pgproto3.Terminate{}).Encode(nil); err == nil {
		goodbye(u.Conn, b)
	}
}

// greeting returns what the upstream said after AuthenticationOk, up to
// ReadyForQuery, with key in place of its own.
func (u *Upstream) greeting(key []byte) []byte {
	out := u.before
	if u.PID != 0 {
		out = append(out, encode(&pgproto3.BackendKeyData{ProcessID: u.PID, SecretKey: key})...)
	}
	return append(out, u.after...)
}

// relayedLogin is one login that is relayed.
type relayedLogin struct {
	client  *pendingLogin
	in      *intake
	timeout time.Duration // of each answer of the client's
	start   *startup

	route    route
	conn     net.Conn // the upstream
	from     *intake  // of conn
	told     bool     // the client was told something of the upstream's
	answered bool     // the client has answered an authentication request
	version  uint32
	up       Upstream
}

// turnedAway says that an upstream has turned the client away without a word to
// it, so that another may be tried.
type turnedAway struct{ reply []byte }

func (*turnedAway) Error() string { return "the server turns the client away" }

// errRelayed ends a login whose client has got the upstream's own error.
var errRelayed = errors.New("the server has refused the login")

// relayLogin has the upstream check a client.
func (l *Listener) relayLogin(p *pendingLogin, in *intake, start *startup) (*Client, error) {
	p.wait(true)
	defer p.wait(false)
	_ = p.SetDeadline(time.Time{}) // from here on each turn of the client's has its own
	ctx, cancel := context.WithTimeout(l.accepting, upstreamTimeout)
	defer cancel()
	c := l.client(start, p.Conn)
	if l.o.Generation != nil {
		c.Gen = l.o.Generation(p.Conn)
	}
	all, err := routes(ctx, l.upstream)
	if err != nil {
		return nil, unreachable(err)
	}
	if l.upstream.ChannelBinding == "require" {
		return nil, refuse("28000", "channel_binding=require cannot be kept by a listener that relays logins")
	}
	var reply []byte // of the last server that has turned the client away
	for _, r := range all {
		login := &relayedLogin{client: p, in: in, timeout: l.o.timeout, start: start, route: r, version: start.version}
		if err = login.run(ctx); err == nil {
			c.version, c.Upstream = login.version, &login.up
			return c, nil
		}
		if away := new(turnedAway); errors.As(err, &away) {
			reply = away.reply
		} else if login.conn != nil {
			return nil, err
		}
	}
	if reply != nil {
		_, _ = p.Write(reply)
		return nil, errRelayed
	}
	return nil, unreachable(err)
}

// unreachable is what a client is told that cannot reach the server through us.
func unreachable(err error) *refusal {
	return refuse("08001", "cannot connect to the database server", err.Error())
}

// run does the login by one route. Without an error up is complete.
func (r *relayedLogin) run(ctx context.Context) (err error) {
	conn, err := r.route.dial(ctx)
	if err != nil {
		return err
	}
	r.conn, r.from = conn, &intake{r: conn, left: loginReply}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			_ = conn.Close()
		}
	}()
	if _, err := conn.Write(r.start.raw); err != nil {
		return unreachable(err)
	}
	if err := r.authenticate(); err != nil {
		return err
	}
	return r.collect()
}

// read reads the next message of the upstream's.
func (r *relayedLogin) read() (msg []byte, err error) {
	head, err := r.from.next(5)
	if err != nil {
		return nil, unreachable(fmt.Errorf("it ends the login: %w", err))
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > loginReply {
		return nil, unreachable(errPacket)
	}
	body, err := r.from.next(int(size) - 4)
	if err != nil {
		return nil, unreachable(fmt.Errorf("it ends the login: %w", err))
	}
	return append(head, body...), nil
}

// tell passes a message of the upstream's on to the client.
func (r *relayedLogin) tell(msg []byte) error {
	r.told = true
	_ = r.client.SetDeadline(time.Now().Add(r.timeout))
	_, err := r.client.Write(msg)
	return err
}

// authenticate passes messages both ways up to AuthenticationOk, which is not
// passed on before the client has proved something.
func (r *relayedLogin) authenticate() error {
	for {
		msg, err := r.read()
		if err != nil {
			return err
		}
		switch msg[0] {
		case 'R':
			done, err := r.request(msg)
			if done || err != nil {
				return err
			}
		case 'E':
			return r.refused(msg)
		case 'v':
			var told pgproto3.NegotiateProtocolVersion
			if told.Decode(msg[5:]) == nil && told.NewestMinorProtocol>>16 == 3 {
				r.version = min(r.version, told.NewestMinorProtocol)
			}
			fallthrough
		case 'N':
			if err := r.tell(msg); err != nil {
				return err
			}
		default:
			return unreachable(fmt.Errorf("unexpected message %q during the login", msg[0]))
		}
	}
}

// refused ends the login by the upstream's error. Like pgconn it lets other routes
// be tried, unless the error would be the same there.
func (r *relayedLogin) refused(msg []byte) error {
	var e pgproto3.ErrorResponse
	if r.told || e.Decode(msg[5:]) != nil || e.Code == "28P01" || e.Code == "3D000" || e.Code == "42501" {
		if err := r.tell(msg); err != nil {
			return err
		}
		return errRelayed
	}
	return &turnedAway{msg}
}

// request passes an authentication request on, and its answer back when one is due.
func (r *relayedLogin) request(msg []byte) (done bool, err error) {
	if len(msg) < 9 {
		return false, unreachable(errPacket)
	}
	switch kind := binary.BigEndian.Uint32(msg[5:]); kind {
	case pgproto3.AuthTypeOk:
		if !r.answered {
			return false, refuse("28000", "the database server asks for no password, so this listener of devguard, which relays logins, lets nobody in",
				"Otherwise whoever can connect to the listener could use the database with devguard's rights.")
		}
		return true, r.tell(msg)
	case pgproto3.AuthTypeSASLFinal:
		return false, r.tell(msg)
	case pgproto3.AuthTypeSASL:
		if msg, err = withoutBinding(msg); err != nil {
			return false, err
		}
	case pgproto3.AuthTypeCleartextPassword, pgproto3.AuthTypeMD5Password, pgproto3.AuthTypeSASLContinue:
	default:
		return false, refuse("0A000", fmt.Sprintf("the database server asks for authentication of type %d, which cannot be relayed", kind))
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
		return unreachable(err)
	}
	r.answered = true
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
		return nil, refuse("28000", "the database server insists on channel binding, which a listener that relays logins cannot offer")
	}
	return encode(m), nil
}

// collect reads what follows AuthenticationOk, up to ReadyForQuery.
func (r *relayedLogin) collect() error {
	r.up = Upstream{Conn: r.conn, Status: map[string]string{}}
	for {
		msg, err := r.read()
		if err != nil {
			return err
		}
		switch msg[0] {
		case 'E':
			_ = r.tell(slices.Concat(r.up.before, r.up.after, msg))
			return errRelayed
		case 'K':
			if err := r.keyData(msg[5:]); err != nil {
				return err
			}
			continue
		case 'S':
			if name, rest, ok := cutString(msg[5:]); ok {
				r.up.Status[name], _, _ = cutString(rest)
			}
		}
		if r.up.PID != 0 {
			r.up.after = append(r.up.after, msg...)
		} else {
			r.up.before = append(r.up.before, msg...)
		}
		if msg[0] == 'Z' {
			return r.conn.SetDeadline(time.Time{})
		}
	}
}

// keyData takes the key that cancels the upstream session.
func (r *relayedLogin) keyData(body []byte) error {
	var k pgproto3.BackendKeyData
	if err := k.Decode(body); err != nil {
		return unreachable(err)
	}
	r.up.PID = k.ProcessID
	route, pid, key := r.route, k.ProcessID, k.SecretKey
	r.up.Cancel = func(ctx context.Context) error { return route.cancel(ctx, pid, key) }
	return nil
}
