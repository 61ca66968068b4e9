package login

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// whoami runs a query on the stub.
func whoami(t *testing.T, url string) string {
	t.Helper()
	conn := connection(t, url)
	results, err := conn.Exec(t.Context(), "who").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(results[0].Rows[0][0])
}

func TestLoginIsOfTheGenerationWhosePasswordItIs(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{})
	for params, password := range map[string]string{
		"sslmode=disable": firstPassword,
		"sslmode=prefer":  secondPassword, // an SSLRequest first
		"sslmode=disable&application_name=x&min_protocol_version=3.2&max_protocol_version=3.2": firstPassword,
		"sslmode=disable&max_protocol_version=latest":                                          secondPassword,
	} {
		want := map[string]string{firstPassword: "1 dev app", secondPassword: "2 dev app"}[password]
		if got := whoami(t, s.url(password, params)); got != want {
			t.Errorf("%s: %q, want %q", params, got, want)
		}
	}
}

func TestLoginOverUnixSocket(t *testing.T) {
	clearPG(t)
	dir := t.TempDir()
	startStub(t, "unix", filepath.Join(dir, ".s.PGSQL.5432"), Options{})
	if got := whoami(t, "host="+dir+" user=dev dbname=app password="+firstPassword); got != "1 dev app" {
		t.Errorf("got %q", got)
	}
}

func TestLoginRefused(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{})
	for name, tc := range map[string]struct{ url, code, message string }{
		"wrong password":    {s.url("wrong", "sslmode=disable"), "28P01", `password authentication failed for user "dev"`},
		"empty password":    {"postgres://dev@" + s.Addr().String() + "/app?sslmode=disable", "28P01", `password authentication failed for user "dev"`},
		"password too long": {s.url(firstPassword+"0", "sslmode=disable"), "28P01", `password authentication failed for user "dev"`},
		"by whom we serve":  {"postgres://refused:" + firstPassword + "@" + s.Addr().String() + "/app?sslmode=prefer", "53300", "sorry, too many clients already"},
	} {
		_, err := pgconn.Connect(t.Context(), tc.url)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != tc.code || pg.Message != tc.message || pg.Severity != "FATAL" || pg.SeverityUnlocalized != "FATAL" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pgconn.Connect(t.Context(), s.url(firstPassword, "sslmode=require")); err == nil || !strings.Contains(err.Error(), "refused TLS") {
		t.Errorf("sslmode=require: %v", err)
	}
}

func TestNoSecretIsLive(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{})
	s.o.Secrets = func() []Secret { return nil } // no login has been before: no race
	_, err := pgconn.Connect(t.Context(), s.url(firstPassword, "sslmode=disable"))
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "28P01" {
		t.Errorf("%v", err)
	}
}

func TestCancelRequest(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{})
	for params, size := range map[string]int{"sslmode=disable": 4, "sslmode=prefer&max_protocol_version=3.2": 32} {
		conn := connection(t, s.url(firstPassword, params))
		other := connection(t, s.url(firstPassword, params))
		if n := len(conn.SecretKey()); n != size {
			t.Errorf("%s: a key of %d bytes", params, n)
		}
		done := make(chan error, 1)
		go func() {
			_, err := conn.Exec(t.Context(), "wait").ReadAll()
			done <- err
		}()
		if err := other.CancelRequest(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case err := <-done:
			t.Fatalf("cancelled by another's key: %v", err)
		default:
		}
		if err := conn.CancelRequest(t.Context()); err != nil {
			t.Error(err)
		}
		var pg *pgconn.PgError
		if err := <-done; !errors.As(err, &pg) || pg.Code != "57014" {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func TestPsql(t *testing.T) {
	clearPG(t)
	psql, err := exec.LookPath("psql")
	if err != nil {
		testneed.Skip(t, "psql", err)
	}
	s := tcpStub(t, Options{})
	for url, want := range map[string]string{
		s.url(firstPassword, ""):                                    "1 dev app\n",
		s.url(secondPassword, "sslmode=prefer&gssencmode=prefer"):   "2 dev app\n",
		s.url(secondPassword, "sslmode=disable&gssencmode=disable"): "2 dev app\n",
		s.url(firstPassword+"1", "sslmode=disable"):                 `FATAL:  password authentication failed for user "dev"`,
		s.url(firstPassword, "channel_binding=require"):             "channel binding",
	} {
		out, _ := exec.CommandContext(t.Context(), psql, "-XAtw", "-c", "select who", url).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: %s", url, out)
		}
	}
}

// startupPacket returns a startup message.
func startupPacket(version uint32, pairs ...string) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), version)
	for _, s := range pairs {
		b = append(append(b, s...), 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// packet returns a message with a code and a body.
func packet(code uint32, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

// exchangeRaw sends bytes, no more after them, and returns all that comes back.
func exchangeRaw(t *testing.T, conn net.Conn, in []byte) []byte {
	t.Helper()
	if _, err := conn.Write(in); err != nil {
		t.Fatal(err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	out, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("it neither answers nor hangs up after %q", in)
	}
	return out
}

func TestNegotiation(t *testing.T) {
	sasl := encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	negotiated := func(version uint32, options ...string) []byte {
		return encode(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: version, UnrecognizedOptions: options})
	}
	refused := func(code, message string) []byte { return encode(Fatal(code, message)) }
	const v30, v32 = 3 << 16, 3<<16 | 2
	hello, none := startupPacket(v30, "user", "a"), []byte{255, 255, 255, 255}
	for name, tc := range map[string]struct{ in, out []byte }{
		"3.0":              {startupPacket(v30, "user", "a"), sasl},
		"3.2":              {startupPacket(v32, "user", "a"), sasl},
		"3.9":              {startupPacket(3<<16|9, "user", "a"), joined(negotiated(v32), sasl)},
		"3.9999 as grease": {startupPacket(3<<16|9999, "user", "a", "_pq_.test_protocol_negotiation", ""), joined(negotiated(v32, "_pq_.test_protocol_negotiation"), sasl)},
		"unknown option":   {startupPacket(v30, "_pq_.a", "1", "user", "a", "_pq_.b", "2"), joined(negotiated(v30, "_pq_.a", "_pq_.b"), sasl)},
		"no, no, no":       {joined(packet(codeSSL), packet(codeGSS), packet(codeSSL), startupPacket(v30, "user", "a")), joined([]byte("NNN"), sasl)},
		"protocol 2":       {packet(2<<16, make([]byte, 288)...), []byte("EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.2\n\x00")},
		"protocol 4":       {startupPacket(4<<16, "user", "a"), refused("0A000", "unsupported frontend protocol 4.0: server supports 3.0 to 3.2")},
		"unknown code":     {packet(80877110), refused("0A000", "unsupported frontend protocol 1234.5686: server supports 3.0 to 3.2")},
		"no user":          {startupPacket(v30, "database", "a"), refused("28000", "no PostgreSQL user name specified in startup packet")},
		"no parameter":     {startupPacket(v30), refused("28000", "no PostgreSQL user name specified in startup packet")},
		"no terminator":    {packet(v30, []byte("user\x00a\x00")...), refused("08P01", "invalid startup packet layout: expected terminator as last byte")},
		"no value":         {packet(v30, []byte("user\x00")...), refused("08P01", "invalid startup packet layout: expected terminator as last byte")},
		"more after it":    {packet(v30, []byte("user\x00a\x00\x00b")...), refused("08P01", "invalid startup packet layout: expected terminator as last byte")},
		"empty packet":     {packet(v30), refused("08P01", "invalid startup packet layout: expected terminator as last byte")},
		"SSL with a body":  {packet(codeSSL, 0), nil},
		"cancel, no key":   {packet(codeCancel, 0, 0, 0, 1), nil},
		"cancel of nobody": {packet(codeCancel, 0, 0, 0, 1, 1, 2, 3, 4), nil},
		"length 0":         {make([]byte, 8), nil},
		"length 7":         {[]byte{0, 0, 0, 7, 0, 3, 0, 0}, nil},
		"giant length":     {[]byte{255, 255, 255, 255, 0, 3, 0, 0}, nil},
		"negative length":  {[]byte{128, 0, 0, 8, 0, 3, 0, 0}, nil},
		"10,001 bytes":     {[]byte{0, 0, 0x27, 0x11, 0, 3, 0, 0}, nil},
		"a browser":        {[]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), nil},
		"TLS at once":      {append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, make([]byte, 500)...), nil},
		"nothing":          {nil, nil},
		"a byte":           {[]byte{0}, nil},
		"half a startup":   {startupPacket(v30, "user", "a")[:10], nil},
		"PLUS":             {joined(hello, message('p', joined([]byte("SCRAM-SHA-256-PLUS\x00"), none))), joined(sasl, refused("08P01", "client selected an invalid SASL authentication mechanism"))},
		"no mechanism":     {joined(hello, message('p', nil)), joined(sasl, refused("08P01", "invalid message format"))},
		"size of another":  {joined(hello, message('p', []byte("SCRAM-SHA-256\x00\x00\x00\x00\x08n,,n=,r=a"))), joined(sasl, refused("08P01", "invalid message format"))},
		"nothing initial":  {joined(hello, message('p', joined([]byte("SCRAM-SHA-256\x00"), none))), joined(sasl, encode(&pgproto3.AuthenticationSASLContinue{}))},
		"a query at once":  {joined(startupPacket(v30, "user", "a"), []byte("Q\x00\x00\x00\x05\x00")), joined(sasl, refused("08P01", "expected SASL response, got message type 81"))},
	} {
		t.Run(name, func(t *testing.T) {
			s := tcpStub(t, Options{})
			if out := exchangeRaw(t, s.dial(t), tc.in); !bytes.Equal(out, tc.out) {
				t.Errorf("got %q, want %q", out, tc.out)
			}
		})
	}
}

// joined joins byte strings.
func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestLoginByteByByte(t *testing.T) {
	clearPG(t)
	s := tcpStub(t, Options{})
	config, err := pgconn.ParseConfig(s.url(secondPassword, "sslmode=prefer"))
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return drip{conn}, err
	}
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	closeConn(conn)
}

// drip is a connection that sends every byte on its own.
type drip struct{ net.Conn }

func (d drip) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func FuzzLogin(f *testing.F) {
	first := saslInitial("n,,n=,r=abcdefghijklmnopqr")
	hello := startupPacket(3<<16, "user", "a")
	for _, seed := range [][]byte{
		nil, hello, joined(packet(codeSSL), packet(codeGSS), hello, first),
		joined(hello, first, message('p', []byte("c=biws,r=abcdefghijklmnopqr,p=AAAA"))),
		joined(hello, saslInitial("y,,n=x,r=y,z=1"), message('p', []byte("c=eSws,r=y"))),
		joined(hello, saslInitial("p=tls-server-end-point,,n=,r=y")), joined(hello, saslInitial("n,a=x,n=,r=y")),
		packet(codeCancel, 0, 0, 0, 1, 1, 2, 3, 4), startupPacket(3<<16|9999, "user", "a", "_pq_.x", "1"), packet(2 << 16),
		joined(hello, message('p', []byte("SCRAM-SHA-256\x00\xff\xff\xff\xff")), message('p', []byte("n,,n=,r=x"))),
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	l := &Listener{salt: newSalt(), pending: newPendingLogins(1, time.Minute)}
	secrets := []Secret{l.Secret(1, firstPassword)}
	l.accepting = f.Context()
	owner := Owner{}
	l.o = Options{Secrets: func() []Secret { return secrets }, App: &App{
		User: "a", Owner: func(net.Conn) Owner { return owner }, Upstream: func() *pgconn.Config { return nil }, Mismatch: func(int, Mismatch) {},
		TLS: func() *tls.Config { return &tls.Config{} }, Offer: func(context.Context) Offer { return SpeaksTLS },
		Reached: func() bool { return true },
	}}
	f.Fuzz(func(t *testing.T, data []byte, ofApp bool) {
		owner = Owner{}
		if ofApp {
			owner = Owner{Gen: 1}
		}
		ours, theirs := net.Pipe()
		var peer sync.WaitGroup
		peer.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
		peer.Go(func() {
			_, _ = theirs.Write(data)
			_ = theirs.Close()
		})
		if !l.pending.takeSlot(t.Context()) {
			t.Fatal("no slot")
		}
		p := l.pending.enter(ours)
		o := &opening{conn: p.Conn, in: &intake{r: p.Conn, left: loginBytes}}
		start, cancel, err := o.negotiate(func(code uint32) error { return l.answer(p, o, code) })
		if start != nil {
			if c, err := l.admit(p, o, start); err == nil {
				t.Errorf("%q has logged in as %v", data, c.User)
			}
		} else if cancel == nil && err == nil {
			t.Error("neither a login nor a cancel nor an error")
		}
		if err == nil && o.privacy == encrypted {
			t.Error("plain bytes were taken for what is said over TLS")
		}
		l.pending.leave(p)
		_ = ours.Close()
		peer.Wait()
	})
}

// message returns a message with a type.
func message(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body))), body...)
}

// saslInitial returns a SASLInitialResponse for SCRAM-SHA-256.
func saslInitial(first string) []byte {
	body := binary.BigEndian.AppendUint32([]byte("SCRAM-SHA-256\x00"), uint32(len(first)))
	return message('p', append(body, first...))
}
