//go:build suites

package drivers

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// preparePgx does what pgx's testsetup does, but for what is about TLS and other
// logins: those a client has with devguard.
func preparePgx(t *testing.T, s *pgtest.Server) []string {
	t.Helper()
	s.CreateDB(t, "pgx_test", "")
	db := pgtest.Conn{Database: "pgx_test"}
	conn := connect(t, s.URL(db))
	if _, err := conn.Exec(t.Context(), `create extension hstore; create extension ltree; create domain uint64 as numeric(20,0);
		create user " tricky, ' } "" \\ test user " superuser password 'secret'`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	socket := url.URL{Scheme: "postgres", User: url.UserPassword(pgtest.Superuser, pgtest.Password), Path: "/pgx_test",
		RawQuery: url.Values{"host": {s.SocketDir}, "port": {strconv.Itoa(s.Port)}}.Encode()}
	return []string{
		"PGX_TEST_DATABASE=" + s.URL(db), "PGX_TEST_TCP_CONN_STRING=" + s.URL(db), "PGX_TEST_PGBOUNCER_CONN_STRING=" + s.URL(db),
		"PGX_TEST_SCRAM_PASSWORD_CONN_STRING=" + s.URL(db), "PGX_TEST_PLAIN_PASSWORD_CONN_STRING=" + s.URL(db),
		"PGX_TEST_UNIX_SOCKET_CONN_STRING=" + socket.String(),
	}
}
