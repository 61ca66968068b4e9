package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestServer(t *testing.T) {
	s := Start(t, Set("max_connections", "17"))
	if got := s.Query(t, "show max_connections")[0][0]; got != "17" {
		t.Errorf("max_connections = %s, want 17", got)
	}
	s.CreateRole(t, "ann", "it's", "connection limit 2")
	s.CreateDB(t, "shop", "ann")
	url := s.URL(Conn{User: "ann", Database: "shop", Params: "application_name=a"})
	if got := query(t, url, "select current_user || current_database() || current_setting('application_name')"); got[0][0] != "annshopa" {
		t.Errorf("session is %q", got)
	}
	if _, err := pgconn.Connect(context.Background(), s.URL(Conn{User: "ann", Password: "wrong"})); err == nil {
		t.Error("a wrong password was let in")
	}
}

func TestServerSurvivesKillAndRestart(t *testing.T) {
	s := Start(t)
	port, pid := s.Port, s.Pid()
	s.Exec(t, "create table kept (i int)")
	s.Kill(t)
	s.StartAgain(t)
	s.Restart(t)
	if got := s.Query(t, "select count(*) from kept"); got[0][0] != "0" || s.Port != port || s.Pid() == pid {
		t.Errorf("after kill and restart: rows %v, port %d (was %d), pid %d (was %d)", got, s.Port, port, s.Pid(), pid)
	}
}

func TestSSL(t *testing.T) {
	s := Start(t, SSL())
	full := s.URL(Conn{Params: "sslmode=verify-full&sslrootcert=" + url.QueryEscape(s.CAFile)})
	if got := query(t, full, "select ssl from pg_stat_ssl where pid = pg_backend_pid()"); got[0][0] != "t" {
		t.Errorf("ssl = %v", got)
	}
	other := Start(t, SSL())
	wrong := s.URL(Conn{Params: "sslmode=verify-full&sslrootcert=" + url.QueryEscape(other.CAFile)})
	if _, err := pgconn.Connect(context.Background(), wrong); err == nil {
		t.Error("a certificate of another CA was accepted")
	}
}

func TestSocket(t *testing.T) {
	s := Start(t, Socket())
	dsn := "host=" + s.SocketDir + " user=postgres password=" + Password + " port=" + strconv.Itoa(s.Port)
	if got := query(t, dsn, "select inet_server_addr() is null"); got[0][0] != "t" {
		t.Errorf("not a socket session: %v", got)
	}
}

func TestBouncer(t *testing.T) {
	s := Start(t)
	s.CreateRole(t, "ann", `p"w`, "")
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			b := PgBouncer(t, s, Pool{Mode: mode, Size: 1})
			user := b.URL(Conn{User: "ann"})
			if got := query(t, user, "select current_user"); got[0][0] != "ann" {
				t.Errorf("current_user = %v", got)
			}
			b.Kill(t)
			b.StartAgain(t)
			defer closeConn(connect(t, user)) // nobody waits for it
			b.Restart(t)
			query(t, user, "select 1")
			if rows := b.Admin(t, "SHOW DATABASES"); len(rows) == 0 {
				t.Error("the console shows no database")
			}
		})
	}
}

// TestBouncerStatements: two clients make a statement of one name on one server.
func TestBouncerStatements(t *testing.T) {
	s := Start(t)
	for want, tracks := range map[string]bool{"42P05": false, "": true} {
		t.Run(fmt.Sprintf("tracks %v", tracks), func(t *testing.T) {
			b := PgBouncer(t, s, Pool{Size: 1, Tracks: tracks})
			code := ""
			for range 2 {
				conn := connect(t, b.URL(Conn{}))
				defer closeConn(conn)
				_, err := conn.Prepare(t.Context(), "mine", "select 1", nil)
				var pg *pgconn.PgError
				if errors.As(err, &pg) {
					code = pg.Code
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if code != want {
				t.Errorf("%q, want %q", code, want)
			}
		})
	}
}

func connect(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func closeConn(conn *pgconn.PgConn) { _ = conn.Close(context.Background()) }

// TestEverythingStops looks for the servers of a test that is over.
func TestEverythingStops(t *testing.T) {
	var s *Server
	var b *Bouncer
	t.Run("inner", func(t *testing.T) {
		s = Start(t)
		b = PgBouncer(t, s, Pool{})
	})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := pgconn.Connect(ctx, s.URL(Conn{})); err == nil {
		t.Error("the server answers after its test")
	}
	awaitGone(t, []int{s.Pid(), b.Pid()})
}
