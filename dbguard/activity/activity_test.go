package activity

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// open connects as the role bob, who is nobody special, under a label.
func open(t *testing.T, s *pgtest.Server, user, label string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), s.URL(pgtest.Conn{User: user, Params: "application_name=" + label}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	return conn
}

func run(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// pids returns the pids of sessions in order.
func pids(list []Session) []int {
	var out []int
	for _, s := range list {
		out = append(out, int(s.PID))
	}
	slices.Sort(out)
	return out
}

func local(conn *pgconn.PgConn) netip.AddrPort {
	return netip.MustParseAddrPort(conn.Conn().LocalAddr().String())
}

func TestSessions(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "bob", "pw", "")
	s.CreateRole(t, "eve", "pw", "")
	ctx := t.Context()
	me := open(t, s, "bob", "asker")
	labelled := open(t, s, "bob", "tool:1:7")
	own := open(t, s, "bob", "mine")
	open(t, s, "bob", "psql")
	open(t, s, "eve", "tool:1:8")

	t.Run("me", func(t *testing.T) {
		self, err := Me(ctx, me)
		if err != nil || uint32(self.PID) != me.PID() || self.Client != local(me) || self.ApplicationName != "asker" {
			t.Errorf("%+v, %v; want pid %d at %v", self, err, me.PID(), local(me))
		}
	})
	t.Run("by label", func(t *testing.T) {
		found, err := Find(ctx, me, Filter{Labels: []string{"tool:1:", `x"\{,}`}[:1]})
		if err != nil || !slices.Equal(pids(found), []int{int(labelled.PID())}) {
			t.Errorf("%+v, %v; want %d alone (eve's is hidden)", found, err, labelled.PID())
		}
	})
	t.Run("by socket", func(t *testing.T) {
		found, err := Find(ctx, me, Filter{Clients: []netip.AddrPort{local(own), local(me), netip.MustParseAddrPort("[::1]:1")}})
		if err != nil || !slices.Equal(pids(found), []int{int(own.PID())}) {
			t.Errorf("%+v, %v; want %d, and not the one that asks", found, err, own.PID())
		}
	})
	t.Run("nothing asked, and skipped", func(t *testing.T) {
		if found, err := Find(ctx, me, Filter{}); err != nil || len(found) != 0 {
			t.Errorf("%+v, %v", found, err)
		}
		if found, err := Find(ctx, me, Filter{Labels: []string{"tool:1:"}, Skip: [][2]string{{"postgres", "bob"}}}); err != nil || len(found) != 0 {
			t.Errorf("skipped: %+v, %v", found, err)
		}
	})
	t.Run("odd labels are data", func(t *testing.T) {
		if _, err := Find(ctx, me, Filter{Labels: []string{`a"b\c,d{}'`}}); err != nil {
			t.Error(err)
		}
	})
}

func TestDescribe(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "bob", "pw", "")
	ctx := t.Context()
	me, own := open(t, s, "bob", "asker"), open(t, s, "bob", "mine")
	run(t, own, "create table pg_temp.secrets (a text)")
	run(t, own, `begin; insert into pg_temp.secrets -- isn't
		values ('hunter2'), ($x$hunter2$x$), (E'a\'hunter2'), ('it''s hunter2')`)
	found, err := Find(ctx, me, Filter{Clients: []netip.AddrPort{local(own)}})
	if err != nil {
		t.Fatal(err)
	}
	details, err := Describe(ctx, me, found)
	if err != nil || len(details) != 1 {
		t.Fatalf("%+v, %v", details, err)
	}
	d := details[0]
	if d.State != "idle in transaction" || !strings.Contains(d.Locks, "RowExclusiveLock on") || !strings.Contains(d.Query, "insert into") {
		t.Errorf("%+v", d)
	}
	if strings.Contains(d.Query, "hunter2") {
		t.Errorf("the query shows its literals: %s", d.Query)
	}
}

func TestTerminate(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "bob", "pw", "")
	s.CreateRole(t, "eve", "pw", "")
	ctx := t.Context()
	me := open(t, s, "bob", "asker")
	labelled, own := open(t, s, "bob", "tool:1:7"), open(t, s, "bob", "mine")
	colleague, eve := open(t, s, "bob", "psql"), open(t, s, "eve", "tool:1:8")
	t.Run("a start that differs is another session", func(t *testing.T) {
		found, err := Find(ctx, me, Filter{Labels: []string{"tool:1:"}})
		if err != nil {
			t.Fatal(err)
		}
		found[0].BackendStart++
		if told, err := Terminate(ctx, me, found); err != nil || told != 0 {
			t.Errorf("told %d, %v", told, err)
		}
		run(t, labelled, "select 1")
	})
	t.Run("terminate", func(t *testing.T) {
		f := Filter{Labels: []string{"tool:1:"}, Clients: []netip.AddrPort{local(own)}}
		found, err := Find(ctx, me, f)
		if err != nil || len(found) != 2 {
			t.Fatalf("%+v, %v", found, err)
		}
		if told, err := Terminate(ctx, me, found); err != nil || told != 2 {
			t.Errorf("told %d, %v", told, err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for len(found) > 0 && time.Now().Before(deadline) {
			if found, err = Find(ctx, me, f); err != nil {
				t.Fatal(err)
			}
		}
		if len(found) > 0 {
			t.Errorf("still there: %+v", found)
		}
		run(t, colleague, "select 1")
		run(t, eve, "select 1")
	})
}

// Another role's session is not ended even if a caller names it: its start is hidden.
func TestTerminateOfAnotherRole(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "bob", "pw", "")
	s.CreateRole(t, "eve", "pw", "")
	me, eve := open(t, s, "bob", "asker"), open(t, s, "eve", "x")
	self, err := Me(t.Context(), eve)
	if err != nil {
		t.Fatal(err)
	}
	told, err := Terminate(t.Context(), me, []Session{self})
	if told != 0 {
		t.Errorf("told %d, %v", told, err)
	}
	run(t, eve, "select 1")
}

func FuzzReadSession(f *testing.F) {
	f.Add("12", "1700000000000000", "127.0.0.1", "5000")
	f.Add("12", "1", "", "-1")
	f.Add("12", "1", "fe80::1%eth0", "70000")
	f.Fuzz(func(t *testing.T, pid, start, addr, port string) {
		s, err := readSession([][]byte{[]byte(pid), []byte(start), []byte(addr), []byte(port), nil})
		if err == nil && (addr == "") != s.Unix() {
			t.Fatalf("%+v of %q", s, addr)
		}
		if want, perr := strconv.ParseInt(pid, 10, 32); err == nil && (perr != nil || int32(want) != s.PID) {
			t.Fatalf("pid %d of %q", s.PID, pid)
		}
	})
}
