package dsn

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// connectTo connects with the settings of value, in env, and asks one question.
func connectTo(t *testing.T, value, dir string, env map[string]string, question string) (string, error) {
	t.Helper()
	s, err := Parse(value)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := s.With(env).Config(dir)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	rows, err := conn.Exec(ctx, question).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(rows[0].Rows[0][0]), nil
}

// deadPort returns a loopback port that refuses connections.
func deadPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestUpstreamsForReal(t *testing.T) {
	clearPG(t)
	s := pgtest.Start(t, pgtest.SSL(), pgtest.Socket())
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("services", fmt.Sprintf("[mine]\nhost=localhost\nhostaddr=127.0.0.1\nport=%d\nuser=postgres\ndbname=postgres\nkeepalives=1\nsslmode=verify-full\nsslrootcert=%s\n", s.Port, s.CAFile))
	write("pass", fmt.Sprintf("*:%d:*:postgres:%s\n", s.Port, pgtest.Password))
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.crt", string(ca))
	dead := deadPort(t)
	const tls = "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()"
	const socket = "select coalesce(client_addr::text, 'socket') from pg_stat_activity where pid = pg_backend_pid()"
	for _, c := range []struct {
		name, value string // $P: the port, $D: one where nobody listens, $S: the socket directory
		env         string
		question    string
		want        string // the answer, or what the error says
	}{
		{"verify-full", "postgres://postgres:pgtest@localhost:$P/postgres?sslmode=verify-full&sslrootcert=ca.crt", "", tls, "true"},
		{"verify-full of a name that hostaddr leads to", "postgres://postgres:pgtest@localhost:$P/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=ca.crt", "", tls, "true"},
		{"verify-full of another name", "postgres://postgres:pgtest@db.example:$P/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=ca.crt", "", tls, "not db.example"},
		{"verify-ca of another name", "postgres://postgres:pgtest@db.example:$P/postgres?hostaddr=127.0.0.1&sslmode=verify-ca&sslrootcert=ca.crt", "", tls, "true"},
		{"verify-full without the CA", "postgres://postgres:pgtest@localhost:$P/postgres?sslmode=verify-full", "", tls, "certificate"},
		{"no-verify", "postgres://postgres:pgtest@localhost:$P/postgres?sslmode=no-verify&sslrootcert=gone", "", tls, "true"},
		{"all of TLS from the environment", "postgres://postgres:pgtest@localhost:$P/postgres", "PGSSLMODE=verify-full,PGSSLROOTCERT=ca.crt,PGGSSENCMODE=prefer,PGREQUIREAUTH=scram-sha-256,PGCHANNELBINDING=require", tls, "true"},
		{"the address of the environment", "postgres://postgres:pgtest@db.example:$P/postgres?sslmode=disable", "PGHOSTADDR=127.0.0.1", socket, "127.0.0.1/32"},
		{"channel binding needs TLS", "postgres://postgres:pgtest@localhost:$P/postgres?sslmode=disable&channel_binding=require", "", tls, "channel binding"},
		{"require_auth", "postgres://postgres:pgtest@localhost:$P/postgres?require_auth=md5", "", tls, "authentication method"},
		{"a socket", "postgres://postgres:pgtest@/postgres?host=$S&port=$P&sslmode=verify-full", "", socket, "socket"},
		{"a socket in keywords", "user=postgres password=pgtest dbname=postgres host=$S port=$P", "", socket, "socket"},
		{"hostaddr wins over a socket", "user=postgres password=pgtest dbname=postgres host=/nowhere hostaddr=127.0.0.1 port=$P sslmode=disable", "", socket, "127.0.0.1/32"},
		{"a dead first host", "postgres://postgres:pgtest@127.0.0.1:$D,localhost:$P/postgres?sslmode=disable", "", socket, "127.0.0.1/32"},
		{"a dead first address of one name", "postgres://postgres:pgtest@localhost:$D,localhost:$P/postgres?hostaddr=127.0.0.1,127.0.0.1&sslmode=verify-full&sslrootcert=ca.crt", "", tls, "true"},
		{"primary", "postgres://postgres:pgtest@localhost:$P/postgres?target_session_attrs=primary", "", tls, "true"},
		{"standby", "postgres://postgres:pgtest@localhost:$P/postgres?target_session_attrs=standby", "", tls, "not in hot standby"},
		{"prefer-standby", "postgres://postgres:pgtest@localhost:$D,localhost:$P/postgres?sslmode=require", "PGTARGETSESSIONATTRS=prefer-standby", tls, "true"},
		{"a password file", "postgres://postgres@localhost:$P/postgres?passfile=pass", "", tls, "true"},
		{"a service", "service=mine servicefile=services passfile=pass", "", tls, "true"},
		{"a service of the environment", "postgres://", "PGSERVICE=mine,PGSERVICEFILE=services,PGPASSFILE=pass,PGPORT=1", tls, "true"},
		{"keepalives and the app's own settings", "postgres://postgres:pgtest@localhost:$P/postgres?keepalives=0&keepalives_idle=9&search_path=x&pool_max_conns=1&gssencmode=prefer&schema=a&pgbouncer=true&options=-c%20search_path%3Dy&application_name=a",
			"", "select current_setting('search_path') || current_setting('application_name')", `"$user", public`},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := strings.NewReplacer("$P", strconv.Itoa(s.Port), "$D", strconv.Itoa(dead), "$S", s.SocketDir).Replace(c.value)
			got, err := connectTo(t, value, dir, Env(strings.Split(c.env, ",")), c.question)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	awaitAlone(t, s)
}

// awaitAlone waits until no session but its own is left: a server ends one a
// moment after the client has closed it.
func awaitAlone(t *testing.T, s *pgtest.Server) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		rows := s.Query(t, "select count(*), string_agg(query, '; ') from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
		if rows[0][0] == "0" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s sessions are left: %s", rows[0][0], rows[0][1])
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestPsqlReadsWhatRewriteWrites has libpq read the results: it connects with
// them to a server that stands for the listener.
func TestPsqlReadsWhatRewriteWrites(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		testneed.Skip(t, "psql", err)
	}
	clearPG(t)
	s := pgtest.Start(t)
	const user, database = `a b'@:/?%`, `my app,#%/x`
	s.CreateRole(t, user, fresh, "")
	s.CreateDB(t, database, user)
	for _, value := range []string{
		"postgres://gone:s3cr3t@db.example,other:9/x?sslmode=verify-full&sslrootcert=gone&target_session_attrs=standby&connect_timeout=9&application_name=a%20b&hostaddr=10.0.0.1,10.0.0.2",
		"postgresql://gone@/?host=/nowhere&port=7&dbname=x&password=s3cr3t&gssencmode=require&application_name=a%20b&options=-c%20search_path%3Dq%2Cr",
		"service=none passfile=gone keepalives=0 sslcrl=x application_name = 'a b' user=gone",
	} {
		f := found(t, value)
		f.Settings = without(f.Settings, "service") // there is no such file
		got, err := f.Rewrite(Target{s.Host, uint16(s.Port), user, fresh, database}, "")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(psql, "-XAtw", "-d", got, "-c",
			"select current_user, current_database(), current_setting('application_name'), current_setting('search_path')")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		path := `"$user", public`
		if strings.Contains(value, "options") {
			path = "q,r"
		}
		if want := strings.Join([]string{user, database, "a b", path}, "|"); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s\n%s(%v), want %s", got, out, err, want)
		}
	}
	set, err := Settings{}.Family(Target{s.Host, uint16(s.Port), user, fresh, database}, "")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(psql, "-XAtwc", "select current_user, current_database()")
	for name, value := range set {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	slices.Sort(cmd.Env)
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != user+"|"+database {
		t.Errorf("the PGHOST set: %s(%v)", out, err)
	}
	awaitAlone(t, s)
}
