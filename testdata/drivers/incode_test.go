package drivers

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/guard"
	"github.com/devguard/devguard/dbguard/pgtest"
)

// code is what an app's code has beside its URL; "" is nothing.
type code struct{ user, password, tls string }

// client is one driver that does as a code says.
type client struct {
	name    string
	command func(t *testing.T, url string, c code) *exec.Cmd
}

func clients() []client {
	return []client{inGo("pgx"), inGo("pq"), {"psql", psql}, inNode("pg", nodePgVersion), inNode("postgres", postgresJSVersion), inGo("bun"), inGo("go-pg")}
}

// inGo is a driver of Go; first are flags of incode before the others.
func inGo(driver string, first ...string) client {
	return client{driver, func(_ *testing.T, url string, c code) *exec.Cmd {
		cmd := exec.Command(incode, append(first, "-driver", driver, "-user", c.user, "-password", c.password, "-tls", c.tls)...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		return cmd
	}}
}

// inNode is a driver of node; last are arguments of incode.js behind the others.
func inNode(module, version string, last ...string) client {
	return client{module, func(t *testing.T, url string, c code) *exec.Cmd {
		cmd := exec.Command("node", append([]string{filepath.Join("incode", "incode.js"), module, c.user, c.password, c.tls}, last...)...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url, "NODE_PATH="+filepath.Join(nodeModule(t, module, version), "node_modules"))
		return cmd
	}}
}

// psql is libpq; what its code has is said by a URL that is edited.
func psql(t *testing.T, url string, c code) *exec.Cmd {
	user, rest, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), ":")
	secret, rest, _ := strings.Cut(rest, "@")
	if c.user != "" {
		user = c.user
	}
	if c.password != "" {
		secret = c.password
	}
	switch {
	case c.tls == "any":
		rest = strings.ReplaceAll(rest, "sslmode=disable", "sslmode=require")
	case c.tls != "":
		rest = strings.ReplaceAll(rest, "sslmode=disable", "sslmode=verify-ca&sslrootcert="+c.tls)
	}
	question := "select 'in as ' || current_user || case when ssl then ' over TLS' else '' end from pg_stat_ssl where pid = pg_backend_pid()"
	return exec.Command("psql", "-wXAtc", question, "postgres://"+user+":"+secret+"@"+rest)
}

// family are the processes of an app that come and go.
type family struct {
	mu   sync.Mutex
	gen  int
	pids []int
}

func (f *family) now() (int, []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gen, descendants(slices.Clone(f.pids))
}

// start starts a client as the process of generation gen.
func (f *family) start(t *testing.T, gen int, cmd *exec.Cmd) {
	t.Helper()
	f.mu.Lock() // who asks waits for the start
	defer f.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.gen, f.pids = gen, []int{cmd.Process.Pid}
}

// says runs a client as the process of generation gen, and returns its last line when it
// was let in, else "out".
func (f *family) says(t *testing.T, gen int, cmd *exec.Cmd) string {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	f.start(t, gen, cmd)
	limit := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait()
	if said := strings.TrimSpace(out.String()); strings.HasPrefix(said, "in as ") {
		return said
	}
	t.Logf("generation %d: %s", gen, strings.TrimSpace(out.String()))
	return "out"
}

// TestInCode: whatever an app's code has beside its URL, the app comes as far as without
// devguard, after one restart at most, which one line says.
func TestInCode(t *testing.T) {
	s := pgtest.Start(t, pgtest.SSL(), pgtest.HBA(
		"hostssl all private 127.0.0.1/32 scram-sha-256", "host all private 127.0.0.1/32 reject",
		"host all trusted 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"))
	for _, role := range []string{"dev", "other", "private", "trusted"} {
		s.CreateRole(t, role, "secret-of-"+role, "")
	}
	url := func(user, password, params string) string {
		return s.URL(pgtest.Conn{User: user, Password: password, Database: "postgres", Params: params})
	}
	plain, dev := pgtest.Start(t), url("dev", "secret-of-dev", "")
	plain.CreateRole(t, "dev", "secret-of-dev", "")
	bouncer := pgtest.PgBouncer(t, s, pgtest.Pool{Settings: map[string]string{
		"client_tls_sslmode": "allow", "client_tls_key_file": s.DataDir + "/server.key", "client_tls_cert_file": s.DataDir + "/server.crt"}})
	pooled := func(password string) string {
		return bouncer.URL(pgtest.Conn{User: "dev", Password: password, Database: "postgres"})
	}
	for name, c := range map[string]struct {
		url      string
		code     code
		replaces bool
	}{
		"nothing":                             {dev, code{}, false},
		"a password":                          {url("dev", "stale", ""), code{password: "secret-of-dev"}, true},
		"a wrong password":                    {dev, code{password: "wrong"}, true},
		"a user":                              {dev, code{user: "other", password: "secret-of-other"}, false},
		"a user who needs no password":        {dev, code{user: "trusted"}, false},
		"a user with a wrong password":        {dev, code{user: "other", password: "wrong"}, true},
		"TLS":                                 {dev, code{tls: "any"}, false},
		"TLS, which the server insists on":    {url("private", "secret-of-private", ""), code{tls: "any"}, false},
		"TLS that verifies":                   {dev, code{tls: s.CAFile}, true},
		"TLS, of a server that has none":      {plain.URL(pgtest.Conn{User: "dev", Database: "postgres"}), code{tls: "any"}, false},
		"TLS and a user":                      {dev, code{user: "other", password: "secret-of-other", tls: "any"}, true},
		"TLS and a password":                  {url("dev", "stale", ""), code{password: "secret-of-dev", tls: "any"}, true},
		"TLS, of a URL that has it by itself": {url("dev", "secret-of-dev", "sslmode=require"), code{tls: "any"}, false},
		"a pooler, a password":                {pooled("stale"), code{password: "secret-of-dev"}, true},
		"a pooler, a user":                    {pooled(""), code{user: "other", password: "secret-of-other"}, false},
		"a pooler, a wrong user":              {pooled(""), code{user: "nobody", password: "wrong"}, true},
		"a pooler, TLS":                       {pooled(""), code{tls: "any"}, false},
		"a pooler, TLS that verifies":         {pooled(""), code{tls: s.CAFile}, true},
	} {
		who := clients()
		if strings.HasPrefix(name, "a pooler") {
			who = who[:3] // PgBouncer speaks to all alike
		}
		for _, who := range who {
			t.Run(strings.ReplaceAll(name, " ", "_")+"/"+who.name, func(t *testing.T) {
				app := &family{}
				want := app.says(t, 0, who.command(t, c.url, c.code))
				g, log, replaced := openGuardOf(t, app)
				got := app.says(t, 1, who.command(t, ledTo(t, g, 1, c.url), c.code))
				if c.replaces {
					until(t, "no restart is asked for", func() bool { return len(replaced) > 0 })
					got = app.says(t, 2, who.command(t, ledTo(t, g, 2, c.url), c.code))
				}
				if got != want {
					t.Errorf("with devguard: %s, without: %s", got, want)
				}
				if err := g.Close(t.Context()); err != nil {
					t.Error(err)
				}
				said := 0
				for _, line := range log.lines(t, "database") {
					if line["mode"] == "drain" {
						said++
					}
				}
				if wants := map[bool]int{true: 1}[c.replaces]; said != wants || len(replaced) != wants {
					t.Errorf("%d lines, %d restarts; want %d", said, len(replaced), wants)
				}
			})
		}
	}
}

// openGuardOf opens a Guard in mode auto whose app is app.
func openGuardOf(t *testing.T, app *family) (*guard.Guard, *record, chan struct{}) {
	t.Helper()
	r, replaced := &record{}, make(chan struct{}, 99)
	g, err := guard.Open(t.Context(), guard.Options{
		Dir: t.TempDir(), RunID: runID, Databases: []guard.Database{{Mode: "auto"}},
		Log:     slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Pids:    app.now,
		Replace: func() { replaced <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Log(r.buf.String())
		}
	})
	return g, r, replaced
}

// ledTo returns the URL that generation gen is given.
func ledTo(t *testing.T, g *guard.Guard, gen int, url string) string {
	t.Helper()
	env, err := g.AppEnv(t.Context(), gen, []string{"DATABASE_URL=" + url, "DEVGUARD_GEN=" + strconv.Itoa(gen)})
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, "DATABASE_URL="); ok {
			return value
		}
	}
	t.Fatal("no DATABASE_URL")
	return ""
}
