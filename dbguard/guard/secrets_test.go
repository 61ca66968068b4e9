package guard

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// TestSecretsAreNowhere: the passwords of a generation and of the upstream, as they
// are and as a URL has them, are in no log line, error, snapshot or command line.
func TestSecretsAreNowhere(t *testing.T) {
	const odd = `p@ss/w0rd %'"\&`
	s, _ := server(t)
	s.CreateRole(t, "odd", odd, "")
	s.Exec(t, `grant all on database app to odd`)
	good := s.URL(pgtest.Conn{User: "odd", Database: "app"})
	escaped := url.UserPassword("", odd).String()[1:]
	forms := []string{odd, escaped, url.QueryEscape(odd), strings.ReplaceAll(odd, `\`, `\\`), "w0rd", password}
	for name, base := range map[string]string{
		"good": good, "wrong": strings.Replace(good, escaped, escaped+"x", 1),
		"down": strings.Replace(good, strconv.Itoa(s.Port), "1", 1), "no such host": strings.Replace(good, s.Host, "no-such-host.invalid", 1),
		"no TLS": strings.Replace(good, "disable", "require", 1), "bad port": strings.Replace(good, strconv.Itoa(s.Port), "99999x", 1),
		"no such database": strings.Replace(good, "/app", "/nowhere", 1), "not escaped": strings.Replace(good, escaped, odd, 1),
		"keywords":        fmt.Sprintf(`host=%s port=%d user=odd dbname=app sslmode=disable password='%s'`, s.Host, s.Port, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(odd)),
		"broken keywords": fmt.Sprintf(`host=%s port=%d user=odd password='%s`, s.Host, s.Port, odd),
	} {
		t.Run(name, func(t *testing.T) {
			var seen strings.Builder // what the app's errors and the snapshots say
			g, log := open(t, Options{Databases: auto(Database{DrainTimeout: 300 * time.Millisecond})})
			env := appEnv(t, g, 1, "DATABASE_URL="+base)
			led, _ := get(env, "DATABASE_URL")
			theirs := forms
			if led != base { // the app's own, which it must have
				config, err := pgconn.ParseConfig(led)
				if err != nil {
					t.Fatal(err)
				}
				theirs = append([]string{config.Password}, forms...)
				seen.WriteString(useSecrets(t, led, odd))
			}
			fmt.Fprintf(&seen, "%+v %#v", g.Status(), g.Status())
			g.RecordSockets(1, nil)
			g.Drain(t.Context(), 1)
			fmt.Fprintf(&seen, "%+v", g.Status())
			if name == "good" && len(log.lines(t, "conflict")) < 3 {
				t.Errorf("the statements were not logged:\n%s", log.text())
			}
			for _, p := range theirs {
				for what, text := range map[string]string{"log": log.text(), "errors and snapshots": seen.String(), "command lines": commandLines()} {
					if strings.Contains(text, p) {
						t.Errorf("%q is in the %s:\n%.2000s", p, what, text)
					}
				}
			}
		})
	}
}

// useSecrets does what an app may do with passwords, rightly and wrongly, and
// returns what it hears.
func useSecrets(t *testing.T, led, secret string) string {
	t.Helper()
	var heard strings.Builder
	conn, err := pgconn.Connect(t.Context(), led)
	if err != nil {
		var server *pgconn.PgError
		if errors.As(err, &server) {
			fmt.Fprintf(&heard, "%+v", *server)
		}
		return heard.String()
	}
	quoted := strings.ReplaceAll(secret, "'", "''")
	for _, sql := range []string{
		"execute nothing('" + quoted + "')", "execute nothing(E'\\'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret) + "')",
		"/* don't */ execute nothing($$" + secret + "$$)", "execute nothing('" + quoted, // that never ends
		"-- isn't\nexecute nothing(U&'" + strings.ReplaceAll(quoted, `\`, `\\`) + "')", "begin; execute nothing2($a$" + secret + "$a$); commit",
	} {
		_, _ = conn.Exec(t.Context(), sql).ReadAll()
	}
	kill(conn)
	return heard.String()
}

// commandLines returns those of all processes, where they can be read.
func commandLines() string {
	var all strings.Builder
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		all.Write(text)
		all.WriteByte('\n')
	}
	return all.String()
}
