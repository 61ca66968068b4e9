package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/dbguard/session"
	"github.com/jackc/pgx/v5/pgconn"
)

// upstream is a session of a real server, observed.
type upstream struct {
	t     *testing.T
	s     *session.Session
	conn  net.Conn
	pg    *pgconn.HijackedConn
	types []byte // of the messages that the server has sent since the last take
	cut   []byte // the beginning of a message
}

func dial(t *testing.T, url string) *upstream {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SyncConn(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := c.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Conn.Close() })
	u := &upstream{t: t, s: session.New(session.Options{}), conn: h.Conn, pg: h}
	u.deadline(limit)
	return u
}

// send is the client; "|" stands for a NUL.
func (u *upstream) send(messages ...string) {
	u.t.Helper()
	var in []byte
	for _, m := range messages {
		body := strings.ReplaceAll(m[1:], "|", "\x00")
		in = binary.BigEndian.AppendUint32(append(in, m[0]), uint32(len(body)+4))
		in = append(in, body...)
	}
	out, n := u.s.Client(in, time.Now())
	if n != len(in) {
		u.t.Fatalf("took %d of %d bytes", n, len(in))
	}
	u.write(out)
}

func (u *upstream) write(b []byte) {
	u.t.Helper()
	if _, err := u.conn.Write(b); err != nil {
		u.t.Fatal(err)
	}
}

// read shows the session what the server says next.
func (u *upstream) read() error {
	buf := make([]byte, 4096)
	n, err := u.conn.Read(buf)
	if out, _ := u.s.Server(buf[:n], time.Now()); !bytes.Equal(out, buf[:n]) {
		u.t.Fatal("bytes were changed")
	}
	u.cut = append(u.cut, buf[:n]...)
	for len(u.cut) >= 5 && len(u.cut) >= 1+int(binary.BigEndian.Uint32(u.cut[1:])) {
		u.types = append(u.types, u.cut[0])
		u.cut = u.cut[1+binary.BigEndian.Uint32(u.cut[1:]):]
	}
	return err
}

// take reads until the server has sent exactly these messages.
func (u *upstream) take(types string) {
	u.t.Helper()
	for len(u.types) < len(types) {
		if err := u.read(); err != nil {
			u.t.Fatalf("after %q: %v", u.types, err)
		}
	}
	if string(u.types) != types {
		u.t.Fatalf("the server sent %q, want %q", u.types, types)
	}
	u.types = nil
}

// finish ends the session as the relay does.
func (u *upstream) finish() {
	u.t.Helper()
	for runs := false; ; {
		f := u.s.Finish()
		if f.Broken {
			u.t.Fatal("broken")
		}
		if f.Cancel {
			u.sendCancel()
		}
		runs = f.Cancel || runs && len(f.Send) == 0
		if len(f.Send) > 0 {
			u.write(f.Send)
		}
		if f.Done {
			u.readToEnd()
			return
		}
		u.readOrCancel(runs)
	}
}

// readOrCancel repeats the cancel for as long as nothing is heard of what runs.
func (u *upstream) readOrCancel(runs bool) {
	u.t.Helper()
	for range 100 {
		u.deadline(200 * time.Millisecond)
		err := u.read()
		if err == nil {
			u.deadline(limit)
			return
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			u.t.Fatal(err)
		}
		if runs {
			u.sendCancel()
		}
	}
	u.t.Fatalf("the server is silent; the session is %+v", u.s.Snapshot())
}

func (u *upstream) readToEnd() {
	u.t.Helper()
	for {
		if err := u.read(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			u.t.Fatal(err)
		}
	}
}

// limit is how long a server may be silent.
const limit = 20 * time.Second

func (u *upstream) deadline(d time.Duration) {
	if err := u.conn.SetDeadline(time.Now().Add(d)); err != nil {
		u.t.Fatal(err)
	}
}

// sendCancel returns when the server has closed the cancel's connection: the signal has been sent
// then.
func (u *upstream) sendCancel() {
	u.t.Helper()
	c, err := net.Dial("tcp", u.conn.RemoteAddr().String())
	if err != nil {
		u.t.Fatal(err)
	}
	defer c.Close()
	var b []byte
	for _, v := range []uint32{uint32(12 + len(u.pg.SecretKey)), 80877102, u.pg.PID} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	if _, err := c.Write(append(b, u.pg.SecretKey...)); err != nil {
		u.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		u.t.Fatal(err)
	}
}

// bound is what Bind and Execute need behind their names.
const (
	noParams = "||||||"
	allRows  = "||||"
)

// TestFinishPostgres: whatever a client leaves behind on a real server, Finish ends that session in
// order, and the server has nothing to complain of.
func TestFinishPostgres(t *testing.T) {
	server := pgtest.Start(t)
	server.Exec(t, "create table t (a int)")
	extendedCopy := []string{"P|copy t from stdin|||", "B||" + noParams, "E|" + allRows}
	for name, leave := range map[string]func(u *upstream){
		"idle":        func(u *upstream) {},
		"transaction": func(u *upstream) { u.send("Qbegin; insert into t values (99)|"); u.take("CCZ") },
		"aborted":     func(u *upstream) { u.send("Qbegin|", "Qselect 1/0|"); u.take("CZEZ") },
		"running":     func(u *upstream) { u.send("Qbegin|", "Qselect pg_sleep(60)|"); u.take("CZ") },
		"pipeline": func(u *upstream) {
			for range 3 {
				u.send("P|select pg_sleep(60)|||", "B||"+noParams, "E|"+allRows, "S")
			}
		},
		"no sync": func(u *upstream) {
			u.send("P|insert into t values (99)|||", "B||"+noParams, "E|"+allRows, "H")
			u.take("12C")
		},
		"no sync, unanswered": func(u *upstream) { u.send("P|insert into t values (99)|||", "B||"+noParams, "E|"+allRows) },
		"copy, no sync":       func(u *upstream) { u.send(extendedCopy...) },
		"running, no sync":    func(u *upstream) { u.send("P|select pg_sleep(60)|||", "B||"+noParams, "E|"+allRows) },
		"failed":              func(u *upstream) { u.send("P|selec|||", "H"); u.take("E"); u.send("Qselect 1|", "B||"+noParams) },
		"simple copy":         func(u *upstream) { u.send("Qcopy t from stdin|"); u.take("G"); u.send("d99\n") },
		"copy":                func(u *upstream) { u.send(append(extendedCopy, "H")...); u.take("12G"); u.send("d99\n") },
		"copy, early sync": func(u *upstream) {
			u.send(append(extendedCopy, "S")...)
			u.take("12G")
			u.send("d99\n")
		},
		"copy, early sync not yet read": func(u *upstream) { u.send(append(extendedCopy, "S")...) },
		"copy, failed":                  func(u *upstream) { u.send(append(extendedCopy, "S", "dx\n", "c")...); u.take("12GE") },
		"cursor": func(u *upstream) {
			u.send("Qbegin|", "P|select generate_series(1, 9)|||", "Bc||"+noParams, "Ec|\x00\x00\x00\x02", "S")
			u.take("CZ12DDsZ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := dial(t, server.URL(pgtest.Conn{}))
			leave(u)
			u.finish()
		})
	}
	if got := server.Query(t, "select count(*) from t")[0][0]; got != "0" {
		t.Errorf("%s rows of clients that were gone", got)
	}
	for _, bad := range []string{"unexpected EOF", "protocol", "could not receive"} {
		if strings.Contains(server.Log(), bad) {
			t.Errorf("the server complained of %q", bad)
		}
	}
}

// TestPassPostgres: after exchanges that are hard to follow the session knows that it is idle, on a
// real server.
func TestPassPostgres(t *testing.T) {
	server := pgtest.Start(t)
	server.Exec(t, "create table t (a int unique deferrable initially deferred)")
	u := dial(t, server.URL(pgtest.Conn{}))
	begin := []string{"P|copy t from stdin|||", "B||" + noParams, "E|" + allRows}
	long := strings.Repeat("x", 63)
	for _, step := range []struct {
		name    string
		send    []string
		replies string
		state   string
		named   int
	}{
		{"copy with everything at once", append(begin, "S", "d1\n", "c", "S"), "12GCZ", "idle", 0},
		{"copy with late sync", append(begin, "d2\n", "c", "S"), "12GCZ", "idle", 0},
		{"copy that fails", append(begin, "S", "dx\n", "d5\n", "c", "S"), "12GEZ", "idle", 0},
		{"two copies in a query", []string{"Qcopy t from stdin; copy t from stdin|", "d3\n", "c", "d4\n", "c"}, "GCGCZ", "idle", 0},
		{"copy refused", []string{"P|copy nothing from stdin|||", "B||" + noParams, "E|" + allRows, "S", "d1\n", "c", "S"}, "12EZZ", "idle", 0},
		{"error at sync", []string{"P|insert into t values (1)|||", "B||" + noParams, "E|" + allRows, "S"}, "12CEZ", "idle", 0},
		{"names", []string{"P" + long + "1|select 1|||", "Pb|select 2|||", "S"}, "11Z", "idle", 2},
		{"a name that begins alike", []string{"P" + long + "2|select 1|||", "S"}, "EZ", "idle", 2},
		{"skipped", []string{"CSb|", "P|selec|||", "CS" + long + "1|", "Pc|select 1|||", "Qselect 1|", "S"}, "3EZ", "idle", 1},
		{"DISCARD ALL", []string{"Qdiscard all|"}, "CSZ", "idle", 0},
		{"function call", []string{"F\x00\x00\x05\x29||||||"}, "EZ", "idle", 0},
		{"listen", []string{"Qlisten a; notify a|"}, "CCAZ", "idle", 0},
		{"transaction", []string{"Qbegin|", "P|select 1/0|||", "B||" + noParams, "E|" + allRows, "S"}, "CZ1EZ", "idle in transaction (aborted)", 0},
		{"its end", []string{"Qrollback|"}, "CZ", "idle", 0},
	} {
		u.t = t
		u.send(step.send...)
		u.takeLoose(step.name, step.replies)
		got := u.s.Snapshot()
		if got.State != step.state || got.Prepared != step.named || u.s.Idle() != (step.state == "idle") {
			t.Fatalf("%s: %+v", step.name, got)
		}
	}
	u.finish()
}

// takeLoose is take without ParameterStatus, whose number depends on the version.
func (u *upstream) takeLoose(name, types string) {
	u.t.Helper()
	types = strings.ReplaceAll(types, "S", "")
	for {
		got := strings.ReplaceAll(string(u.types), "S", "")
		switch {
		case got == types:
			u.types = nil
			return
		case len(got) >= len(types):
			u.t.Fatalf("%s: the server sent %q, want %q", name, got, types)
		}
		if err := u.read(); err != nil {
			u.t.Fatalf("%s: after %q: %v", name, got, err)
		}
	}
}
