package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// namesDatabase makes pgapp read its settings as apps do that have no URL.
const namesDatabase = `package main

import (
	"fmt"
	"os"
)

// Variables of the first file come first: main.go finds the URL there.
var _ = setURL()

func setURL() error {
	url := os.Getenv("APP_DSN")
	if url == "" {
		url = fmt.Sprintf("postgres://%s:%s@%s:%s/%s?sslmode=disable", os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD"),
			os.Getenv("DB_HOST"), os.Getenv("DB_PORT"), os.Getenv("DB_NAME"))
	}
	return os.Setenv("DATABASE_URL", url)
}
`

// Settings that are no URL lead the app through devguard, so that a restart in the
// middle of a transaction leaves no lock to the next generation.
func TestRestartWithoutAURL(t *testing.T) {
	t.Parallel()
	s := database(t)
	config, err := pgconn.ParseConfig(s.URL(dev))
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{"DB_HOST=" + config.Host, fmt.Sprintf("DB_PORT=%d", config.Port), "DB_USER=dev", "DB_PASSWORD=" + dbPassword, "DB_NAME=app"}
	keywords := fmt.Sprintf("host=%s port=%d user=dev password=%s dbname=app sslmode=disable", config.Host, config.Port, dbPassword)
	for _, c := range []struct {
		name string
		env  []string
		file string
		want string
	}{
		{"DB_HOST and its like", parts, "", "DB_HOST"},
		{"in .env", nil, strings.Join(parts, "\n"), "DB_HOST"},
		{"keywords", []string{"APP_DSN=" + keywords}, "", "APP_DSN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := restartWithoutAURL(t, s, "tx query", c.env, c.file)
			l := d.wait(0, "database", func(l line) bool { return l.str("mode") == "session" })
			if l.str("env") != c.want {
				t.Errorf("%s", l.Raw)
			}
			drained := d.wait(0, "drained", ofGen(1))
			if drained.int("rolled_back") != 2 || drained.int("cancelled") != 1 || drained.int("left") != 0 {
				t.Errorf("%s", drained.Raw)
			}
			d.says("gen=2 found sessions=0 locks=0")
			d.says("gen=2 serves tx query")
			d.stop()
		})
		t.Run(c.name+", the control", func(t *testing.T) {
			// pgapp reads no .env by itself. The session of a query stays for sure; that of a
			// transaction alone ends with the app, some time.
			d := restartWithoutAURL(t, s, "query", append(strings.Fields(c.file), c.env...), c.file, "--db", "off")
			d.says("gen=2 found sessions=1")
			if strings.Contains(d.out.String(), "gen=2 found sessions=1 locks=0") {
				t.Error("the session that is left holds no lock")
			}
			d.stop()
			s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dev'")
		})
	}
}

// restartWithoutAURL restarts an app in the middle of a query.
func restartWithoutAURL(t *testing.T, s *pgtest.Server, plan string, env []string, file string, args ...string) *devguard {
	t.Helper()
	dir := pgapp(t, "")
	write(t, filepath.Join(dir, "a.go"), namesDatabase)
	write(t, filepath.Join(dir, ".env"), file)
	d := runApp(t, dir, append(env, "PORT="+freePort(t), "PGAPP_PLANS="+plan), args...)
	d.says("gen=1 serves " + plan)
	d.ready()
	awaitQuery(t, s, 1)
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	return d
}
