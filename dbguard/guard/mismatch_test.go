package guard

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/pgtest"
)

func TestRespond(t *testing.T) {
	for name, c := range map[string]struct {
		wish        mode
		past, stays bool
		want        response
	}{
		"auto":                     {modeAuto, false, true, goPast},
		"auto, told to stop":       {modeAuto, false, false, ignore},
		"auto, past us already":    {modeAuto, true, true, ignore},
		"session":                  {modeSession, false, true, warn},
		"transaction":              {modeTransaction, false, true, warn},
		"session, told to stop":    {modeSession, false, false, ignore},
		"session, past us already": {modeSession, true, true, ignore},
	} {
		if got := respond(c.wish, c.past, c.stays); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCarriesIdentity(t *testing.T) {
	clearPG(t)
	s := pgtest.Start(t, pgtest.SSL(), pgtest.Socket())
	certificate := "&sslmode=require&sslcert=" + s.DataDir + "/server.crt&sslkey=" + s.DataDir + "/server.key"
	for url, want := range map[string]bool{
		"postgres://a@127.0.0.1/b?sslmode=disable":                              false,
		"postgres://a@127.0.0.1/b?sslmode=require":                              false,
		"postgres://a@/b?host=" + s.SocketDir:                                   true,
		"postgres://a@127.0.0.1,/b?host=127.0.0.1," + s.SocketDir + "&port=1,2": true,
		"postgres://a@127.0.0.1/b?" + certificate[1:]:                           true,
	} {
		config, err := pgconn.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := carriesIdentity(config); got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
}

// inCode is how an app changes in its code what its URL says.
type inCode func(*pgconn.Config)

func withPassword(password string) inCode {
	return func(c *pgconn.Config) { c.Password = password }
}

func withUser(user, password string) inCode {
	return func(c *pgconn.Config) { c.User, c.Password = user, password }
}

// as opens a session of the test's own, changed in code, and returns who it is, or the
// error.
func as(t *testing.T, url string, edit inCode) (string, error) {
	t.Helper()
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	edit(config)
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { kill(conn) })
	return value(t, conn, "select current_user"), nil
}

// replaceable is a Guard whose app is the test itself.
type replaceable struct {
	*Guard
	log      *record
	replaced chan struct{}
}

// asApp opens a Guard for the test as app of generation 1.
func asApp(t *testing.T, mode mode) replaceable {
	t.Helper()
	s := replaceable{replaced: make(chan struct{}, 99)}
	s.Guard, s.log = open(t, Options{
		Databases: []Database{{Mode: string(mode)}},
		Pids:      func() (int, []int) { return 1, []int{os.Getpid()} },
		Replace:   func() { s.replaced <- struct{}{} },
	})
	return s
}

// replacedOnce checks that one restart was asked for, by one line that gives the reason,
// and that the next generation has its own URL.
func (s replaceable) replacedOnce(t *testing.T, url, reason string) {
	t.Helper()
	until(t, func() bool { return len(s.replaced) > 0 })
	own, _ := get(appEnv(t, s.Guard, 2, "DATABASE_URL="+url), "DATABASE_URL")
	if own != url {
		t.Errorf("the next generation is given %s", own)
	}
	said := 0
	for _, line := range s.log.lines(t, "database") {
		if line["mode"] != "drain" {
			continue
		}
		said++
		for _, part := range []string{reason, remedy, "its own URL"} {
			if !strings.Contains(fmt.Sprint(line["reason"]), part) {
				t.Errorf("%q is not said: %v", part, line)
			}
		}
	}
	if said != 1 || len(s.replaced) != 1 {
		t.Errorf("%d lines, %d restarts", said, len(s.replaced))
	}
}

// notReplaced checks that no restart was asked for, at the end of all that is under way.
func (s replaceable) notReplaced(t *testing.T) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(s.replaced) != 0 {
		t.Errorf("a restart is asked for:\n%s", s.log.text())
	}
}

// TestPasswordInCode: what the server would have let in is let in after one restart.
func TestPasswordInCode(t *testing.T) {
	s, dev := server(t)
	stale := dev
	stale.Password = "stale"
	url := s.URL(stale)
	if who, err := as(t, url, withPassword(password)); err != nil || who != "dev" {
		t.Fatalf("without devguard: %s, %v", who, err)
	}
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, url)
	for range 3 {
		if _, err := as(t, led, withPassword(password)); code(err) != "28P01" {
			t.Errorf("%v", err)
		}
	}
	g.replacedOnce(t, url, "a password that is not the one in its URL")
}

// TestPasswordInCodeOfAMode that was asked for: it is said once, and nothing restarts.
func TestPasswordInCodeOfAMode(t *testing.T) {
	s, dev := server(t)
	g := asApp(t, modeSession)
	led := through(t, g.Guard, 1, s.URL(dev))
	for range 3 {
		if _, err := as(t, led, withPassword("another")); code(err) != "28P01" {
			t.Errorf("%v", err)
		}
	}
	until(t, func() bool { return strings.Contains(g.log.text(), "cannot serve") })
	g.notReplaced(t)
	if n := strings.Count(g.log.text(), "cannot serve"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if line := g.log.note(t, "cannot serve"); !strings.HasPrefix(fmt.Sprint(line["hint"]), "leave user, password and TLS to the URL ") ||
		!strings.Contains(fmt.Sprint(line["hint"]), `or write mode = "drain" in [[database]]`) {
		t.Errorf("%v", line)
	}
	g = asApp(t, modeSession)
	if who, err := as(t, through(t, g.Guard, 1, s.URL(dev)), func(*pgconn.Config) {}); err != nil || who != "dev" {
		t.Errorf("left to the URL: %s, %v", who, err)
	}
	g = asApp(t, modeDrain)
	own, _ := get(appEnv(t, g.Guard, 1, "DATABASE_URL="+s.URL(dev)), "DATABASE_URL")
	if _, err := as(t, own, withPassword("another")); own != s.URL(dev) || code(err) != "28P01" {
		t.Errorf("in mode drain the app has %s, %v", own, err)
	}
}

// TestPasswordOfAStranger: nobody but the app's own processes causes a restart.
func TestPasswordOfAStranger(t *testing.T) {
	s, dev := server(t)
	s.CreateRole(t, "other", password, "")
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, s.URL(dev))
	settle(t, g.Guard)
	address := strings.SplitN(strings.SplitN(led, "@", 2)[1], "/", 2)[0]
	for _, url := range []string{
		"postgres://dev:wrong@" + address + "/app", "postgres://other:" + password + "@" + address + "/app", "postgres://dev@" + address + "/app",
	} {
		for range 3 {
			if out, err := exec.Command("psql", "-wc", "select 1", url).CombinedOutput(); err == nil {
				t.Errorf("let in: %s", out)
			}
		}
	}
	g.notReplaced(t)
}

// TestTLSOfAStranger: he is told no, whatever the upstream is, and is not connected to it.
func TestTLSOfAStranger(t *testing.T) {
	s, dev := server(t, pgtest.SSL())
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, s.URL(dev))
	settle(t, g.Guard)
	for _, mode := range []string{"require", "verify-ca"} {
		out, err := exec.Command("psql", "-wc", "select 1", strings.Replace(led, "sslmode=disable", "sslmode="+mode+"&sslrootcert="+s.CAFile, 1)).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "does not support SSL") {
			t.Errorf("%s: %s", mode, out)
		}
	}
	if out, err := exec.Command("psql", "-wc", "select 1", strings.Replace(led, "sslmode=disable", "sslmode=prefer", 1)).CombinedOutput(); err != nil {
		t.Errorf("prefer: %s", out)
	}
	g.notReplaced(t)
}

// TestTLSInCode: what the app is given by us, it is given upstream, also by the sessions
// dialled ahead; and who leaves for our certificate is started again.
func TestTLSInCode(t *testing.T) {
	s, dev := server(t, pgtest.SSL())
	g := asApp(t, modeAuto)
	over := func(config *tls.Config) inCode { return func(c *pgconn.Config) { c.TLSConfig = config } }
	// Without the connection of devguard's own by which a drain asks what is left: its end is not awaited.
	private := "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'dev' and ssl and application_name <> 'devguard'"
	for gen := 1; gen <= 2; gen++ {
		led := through(t, g.Guard, gen, s.URL(dev))
		if gen == 2 {
			until(t, func() bool { return g.Status().Upstreams[0].Spares == 1 })
			if n := s.Query(t, private)[0][0]; n != "2" { // the first's, and the one dialled ahead
				t.Errorf("%s sessions over TLS", n)
			}
		}
		if who, err := as(t, led, over(&tls.Config{InsecureSkipVerify: true})); err != nil || who != "dev" {
			t.Fatalf("%s, %v", who, err)
		}
		if gen == 2 {
			g.Drain(t.Context(), 1)
		}
	}
	if n := s.Query(t, private)[0][0]; n != "1" {
		t.Errorf("%s sessions over TLS", n)
	}
	if len(g.replaced) > 0 {
		t.Error("replaced")
	}
	if _, err := as(t, through(t, g.Guard, 1, s.URL(dev)), over(&tls.Config{ServerName: "localhost"})); err == nil {
		t.Error("our certificate is accepted by a client that knows nobody who signed it")
	}
	until(t, func() bool { return len(g.replaced) == 1 })
}

// TestCancelOverTLS: a cancel request comes as its session does.
func TestCancelOverTLS(t *testing.T) {
	s, dev := server(t, pgtest.SSL())
	g := asApp(t, modeAuto)
	config, err := pgconn.ParseConfig(through(t, g.Guard, 1, s.URL(dev)))
	if err != nil {
		t.Fatal(err)
	}
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer kill(conn)
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "select pg_sleep(600)").ReadAll()
		done <- err
	}()
	until(t, func() bool {
		return s.Query(t, "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)' and usename = 'dev'")[0][0] == "1"
	})
	if err := conn.CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; code(err) != "57014" {
		t.Errorf("%v", err)
	}
	if len(g.replaced) > 0 {
		t.Error("replaced")
	}
}

func TestEncrypted(t *testing.T) {
	clearPG(t)
	for in, want := range map[string]string{
		"host=a sslmode=disable":             "a any",
		"host=a sslmode=allow":               "a any",
		"host=a sslmode=prefer":              "a any",
		"host=a,b port=1,2 sslmode=prefer":   "a any, b any",
		"host=a,/s port=1,2 sslmode=disable": "a any, /s plain",
		"host=a sslmode=verify-full":         "a verified",
	} {
		config, err := pgconn.ParseConfig(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, way := range waysOf(encrypted(config)) {
			kind := "plain"
			if way.TLSConfig != nil {
				kind = map[bool]string{true: "any", false: "verified"}[way.TLSConfig.InsecureSkipVerify]
			}
			got = append(got, way.Host+" "+kind)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", in, got, want)
		}
	}
}

// TestUserInCode: another user of the server's gets in through us.
func TestUserInCode(t *testing.T) {
	s, dev := server(t)
	s.CreateRole(t, "other", password, "")
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, s.URL(dev))
	for name, url := range map[string]string{"without devguard": s.URL(dev), "with it": led} {
		if who, err := as(t, url, withUser("other", password)); err != nil || who != "other" {
			t.Errorf("%s: %s, %v", name, who, err)
		}
	}
	count := func() string {
		return s.Query(t, "select count(*) from pg_stat_activity where usename = 'other'")[0][0]
	}
	until(t, func() bool { return count() == "2" })
	g.Drain(t.Context(), 1)
	if n := count(); n != "1" {
		t.Errorf("%s sessions after the drain, want the direct one", n)
	}
	g.notReplaced(t)
}

// TestUserInCodeIsTheServersToRefuse: the app may have the password from its URL, which
// is ours.
func TestUserInCodeIsTheServersToRefuse(t *testing.T) {
	s, dev := server(t)
	s.CreateRole(t, "other", password, "")
	onlyUser := func(c *pgconn.Config) { c.User = "other" }
	if who, err := as(t, s.URL(dev), onlyUser); err != nil || who != "other" {
		t.Fatalf("without devguard: %s, %v", who, err)
	}
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, s.URL(dev))
	if _, err := as(t, led, onlyUser); code(err) != "28P01" {
		t.Errorf("%v", err)
	}
	g.replacedOnce(t, s.URL(dev), "as another user")
}

// TestUserInCodeByMethod: a server that asks for nothing lets the app in as without us,
// a password in clear text is never asked for, and nothing is relayed where the server
// sees who we are.
func TestUserInCodeByMethod(t *testing.T) {
	for name, c := range map[string]struct {
		method   string
		socket   bool
		password string
		let      bool
	}{
		"trust":              {"trust", false, "", true},
		"md5":                {"md5", false, password, true},
		"clear text":         {"password", false, password, false},
		"trust, by a socket": {"trust", true, "", false},
		"scram, by a socket": {"scram-sha-256", true, password, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, dev := server(t, pgtest.Socket(), pgtest.HBA("local all other "+c.method, "host all other 127.0.0.1/32 "+c.method,
				"local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256"))
			s.CreateRole(t, "other", password, "")
			url := s.URL(dev)
			if c.socket {
				url = fmt.Sprintf("postgres://dev:%s@/app?host=%s&port=%d", password, s.SocketDir, s.Port)
			}
			if who, err := as(t, url, withUser("other", c.password)); err != nil || who != "other" {
				t.Fatalf("without devguard: %s, %v", who, err)
			}
			g := asApp(t, modeAuto)
			who, err := as(t, through(t, g.Guard, 1, url), withUser("other", c.password))
			if !c.let {
				if code(err) != "28000" {
					t.Errorf("%s, %v", who, err)
				}
				g.replacedOnce(t, url, "as another user")
				return
			}
			if err != nil || who != "other" {
				t.Errorf("%s, %v", who, err)
			}
			g.notReplaced(t)
		})
	}
}

// TestLoginThatIsLeft: a client that has no password for us leaves; one that vanishes
// once is not the app's wish.
func TestLoginThatIsLeft(t *testing.T) {
	s, dev := server(t)
	g := asApp(t, modeAuto)
	led := through(t, g.Guard, 1, s.URL(dev))
	settle(t, g.Guard)
	config, err := pgconn.ParseConfig(led)
	if err != nil {
		t.Fatal(err)
	}
	leave := func() {
		conn, err := net.Dial("tcp", joinHost(config.Host, config.Port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("\x00\x00\x00\x12\x00\x03\x00\x00user\x00dev\x00\x00"))
		_, _ = conn.Read(make([]byte, 99))
	}
	leave()
	if _, err := as(t, led, func(*pgconn.Config) {}); err != nil {
		t.Error(err)
	}
	if len(g.replaced) > 0 {
		t.Error("replaced after the first")
	}
	leave()
	g.replacedOnce(t, s.URL(dev), "has no password for a login")
}
