package dbguard

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
)

func TestOpen(t *testing.T) {
	s := pgtest.Start(t)
	session := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "session"})
	transaction := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	single := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction", Size: 1})
	statement := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "statement"})
	for _, c := range []struct {
		name, url string
		opts      []Option
		kind      string
		mode      pgx.QueryExecMode
		hint      bool
	}{
		{"direct", s.URL(pgtest.Conn{}), nil, "postgres", pgx.QueryExecModeCacheStatement, false},
		{"session", session.URL(pgtest.Conn{}), nil, "session-pooler", pgx.QueryExecModeCacheStatement, false},
		{"transaction", transaction.URL(pgtest.Conn{}), nil, "transaction-pooler", pgx.QueryExecModeCacheDescribe, false},
		{"pool of one", single.URL(pgtest.Conn{}), nil, "transaction-pooler", pgx.QueryExecModeCacheDescribe, false},
		{"statement", statement.URL(pgtest.Conn{}), nil, "unknown", pgx.QueryExecModeCacheDescribe, false},
		{"by the URL", transaction.URL(pgtest.Conn{Params: "default_query_exec_mode=simple_protocol"}), nil, "transaction-pooler", pgx.QueryExecModeSimpleProtocol, false},
		{"by the URL, wrongly", transaction.URL(pgtest.Conn{Params: "default_query_exec_mode=cache_statement"}), nil, "transaction-pooler", pgx.QueryExecModeCacheStatement, true},
		{"by an option", s.URL(pgtest.Conn{}), []Option{WithExecMode(pgx.QueryExecModeExec)}, "postgres", pgx.QueryExecModeExec, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool, log := openAt(t, c.url, c.opts...)
			if got := pool.Config().ConnConfig.DefaultQueryExecMode; got != c.mode {
				t.Errorf("mode %s, want %s", got, c.mode)
			}
			if log.count("Database pool opened") != 1 || !strings.Contains(log.String(), "kind="+c.kind+" ") ||
				strings.Contains(log.String(), "hint=") != c.hint || strings.Contains(log.String(), pgtest.Password) {
				t.Errorf("log:\n%s", log)
			}
			if got, err := query(testContext(t), pool, answer, "1"); got != "answer 1" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	t.Run("nothing is left of the look", func(t *testing.T) {
		until(t, s, "0", "select count(*) from pg_stat_activity where state like 'idle in transaction%'")
	})
	t.Run("types", func(t *testing.T) { testTypes(t, s.URL(pgtest.Conn{}), transaction.URL(pgtest.Conn{})) })
	t.Run("the context ends", func(t *testing.T) { testGraceful(t, s) })
	t.Run("the context has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Open(ctx, env("DATABASE_URL", s.URL(pgtest.Conn{}))); Classify(err) != Cancelled {
			t.Error(err)
		}
	})
	t.Run("passwords", func(t *testing.T) { testPasswords(t, s) })
	t.Run("development", func(t *testing.T) { testDevelopment(t, s) })
}

// What an app writes for a server works behind a transaction pooler as well: pgx's
// mode exec would refuse some of it.
func testTypes(t *testing.T, urls ...string) {
	for _, url := range urls {
		pool, _ := openAt(t, url)
		var back map[string]any
		var list []int32
		err := pool.QueryRow(testContext(t), "select $1::jsonb, $2::int[]", map[string]any{"a": "b"}, []int32{1, 2}).Scan(&back, &list)
		if err != nil || back["a"] != "b" || len(list) != 2 {
			t.Errorf("%v, %v, %v", back, list, err)
		}
	}
}

// What runs when the context ends is finished; nothing new begins; the sessions go.
func testGraceful(t *testing.T, s *pgtest.Server) {
	log := &logged{}
	ctx, cancel := context.WithCancel(context.Background())
	pool, err := Open(ctx, env("DATABASE_URL", s.URL(pgtest.Conn{Params: "application_name=graceful"})), WithLogger(log.logger(t)))
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, pool)
	conn := acquire(t, pool)
	cancel()
	deadline := time.Now().Add(patience)
	for {
		c, err := pool.Acquire(testContext(t))
		if err != nil {
			break
		}
		c.Release()
		if time.Now().After(deadline) {
			t.Fatal("the pool goes on")
		}
	}
	mustExec(t, conn, answer, "1")
	conn.Release()
	pool.Close() // waits
	until(t, s, "0", "select count(*) from pg_stat_activity where application_name = 'graceful'")
	for log.count("Database pool closed") == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("log:\n%s", log)
		}
		<-time.After(time.Millisecond)
	}
}

// No password is in any error or in anything printed.
func testPasswords(t *testing.T, s *pgtest.Server) {
	const secret = "hu5h"
	host := fmt.Sprintf("%s:%d", s.Host, s.Port)
	for name, url := range map[string]string{
		"wrong":           "postgres://postgres:" + secret + "@" + host + "/postgres?sslmode=disable",
		"no such user":    "postgres://nobody_here:" + secret + "@" + host + "/postgres?sslmode=disable",
		"keywords":        "host=" + s.Host + " port=" + fmt.Sprint(s.Port) + " user=postgres sslmode=disable password=" + secret,
		"broken keywords": "host=x user=y password='" + secret,
		"port":            "postgres://postgres:" + secret + "@" + s.Host + ":x" + secret + "/postgres",
		"slash":           "postgres://postgres:12/" + secret + "@" + host + "/postgres",
		"at":              "postgres://postgres:ab@" + secret + "@" + host + "/postgres",
		"escape":          "postgres://postgres:%zz" + secret + "@" + host + "/postgres",
		"parameter":       "postgres://postgres:" + secret + "@" + host + "/postgres?pool_max_conns=" + secret,
		"sslmode":         "postgres://postgres:" + secret + "@" + host + "/postgres?sslmode=" + secret,
		"password":        "postgres://postgres@" + host + "/postgres?sslmode=disable&password=" + secret,
		"no host":         "postgres://postgres:" + secret + "@/postgres?host=" + s.DataDir + "/nowhere",
	} {
		log := &logged{}
		_, err := Open(testContext(t), env("DATABASE_URL", url), WithLogger(log.logger(t)), WithDevelopment(true))
		if err == nil {
			t.Errorf("%s: opened", name)
			continue
		}
		if said := fmt.Sprintf("%v %+v %#v %s", err, err, err, log); strings.Contains(said, secret) || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%s: %s", name, said)
		}
	}
	c, err := ConfigFromEnv(env("DATABASE_URL", "postgres://postgres:"+secret+"@"+host+"/db", "DIRECT_URL", "postgres://x:"+secret+"@y/z"))
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	slog.New(slog.NewTextHandler(log, nil)).Info("config", "c", c, "also", slog.AnyValue(*c))
	out, err := json.Marshal(c)
	if said := fmt.Sprintf("%v %+v %#v %s %q %d %v %+v %s %v %v", c, c, c, c, c, c, *c, *c, out, err, log); strings.Contains(said, secret) || !strings.Contains(said, "db") {
		t.Error(said)
	}
}

// In development the pool is small, and what fails is said without its literals.
func testDevelopment(t *testing.T, s *pgtest.Server) {
	pool, log := openAt(t, s.URL(pgtest.Conn{}), WithDevelopment(true), WithSlowQueries(time.Nanosecond))
	if got := pool.Config(); got.MaxConns != devMaxConns || got.HealthCheckPeriod != devHealthCheck {
		t.Errorf("%d, %v", got.MaxConns, got.HealthCheckPeriod)
	}
	_, err := pool.Exec(testContext(t), "select 'hu5h'  ,\n $1::int/0", 1)
	wantState(t, err, "22012", Permanent)
	mustExec(t, pool, "do $$ begin raise warning 'careful'; end $$")
	for _, want := range []string{
		`msg="Database statement failed" statement="select ? , $1::int/?" sqlstate=22012`,
		`msg="Database notice" severity=WARNING sqlstate=01000 message=careful`,
		`msg="Database statement slow" statement="select ? , $1::int/?"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "hu5h") {
		t.Errorf("log:\n%s", log)
	}
	quiet, log := openAt(t, s.URL(pgtest.Conn{}), WithDevelopment(false))
	_, _ = quiet.Exec(testContext(t), "select 1/0")
	if log.count("Database statement failed") != 0 {
		t.Errorf("log:\n%s", log)
	}
}

func TestConfigFromEnv(t *testing.T) {
	const a, b = "postgres://u:p@a/d", "postgres://u:p@b/d?pool_max_conns=3&application_name=named&pool_max_conn_idle_time=7s"
	for _, c := range []struct {
		name      string
		env       []string
		opts      []Option
		host, src string
		direct    string
		maxConns  int32
		app       string
		wantErr   string
	}{
		{name: "DATABASE_URL first", env: []string{"DATABASE_URL", a, "SUPABASE_DATABASE_URL", b, "DIRECT_URL", b}, host: "a", src: "DATABASE_URL", direct: b},
		{name: "Supabase's else", env: []string{"DATABASE_URL", "", "SUPABASE_DATABASE_URL", b}, host: "b", src: "SUPABASE_DATABASE_URL", direct: b, maxConns: 3, app: "named"},
		{name: "other names", env: []string{"DATABASE_URL", a, "X", b, "Y", a}, opts: []Option{WithURLEnv("X"), WithDirectURLEnv("Y")}, host: "b", src: "X", direct: a},
		{name: "bounds of development", env: []string{"DATABASE_URL", a, "DEVGUARD", "1"}, host: "a", src: "DATABASE_URL", direct: a, maxConns: devMaxConns},
		{name: "bounds of the URL", env: []string{"DATABASE_URL", b, "DEVGUARD", "1"}, host: "b", src: "DATABASE_URL", direct: b, maxConns: 3},
		{name: "bounds of an option", env: []string{"DATABASE_URL", b}, opts: []Option{WithMaxConns(5), WithApplicationName("other")}, host: "b", src: "DATABASE_URL", direct: b, maxConns: 5, app: "named"},
		{name: "a name", env: []string{"DATABASE_URL", a}, opts: []Option{WithApplicationName("shop")}, host: "a", src: "DATABASE_URL", direct: a, app: "shop"},
		{name: "none", wantErr: "no database URL: set DATABASE_URL or SUPABASE_DATABASE_URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PGAPPNAME", "")
			got, err := ConfigFromEnv(append([]Option{env(c.env...)}, c.opts...)...)
			if c.wantErr != "" {
				if err == nil || err.Error() != c.wantErr {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Pool.ConnConfig.Host != c.host || got.Source != c.src || got.DirectURL != c.direct {
				t.Errorf("%s, direct %s", got, got.DirectURL)
			}
			if c.maxConns != 0 && got.Pool.MaxConns != c.maxConns {
				t.Errorf("%d connections, want %d", got.Pool.MaxConns, c.maxConns)
			}
			if app := got.Pool.ConnConfig.RuntimeParams["application_name"]; c.app != "" && app != c.app || app == "" {
				t.Errorf("application_name %q, want %q", app, c.app)
			}
		})
	}
}

func TestWithoutLiterals(t *testing.T) {
	for sql, want := range map[string]string{
		"select  1 ,\t'a''b' from \"My T\" where x=$1": `select ? , ? from "My T" where x=$1`,
		"alter role x password 'secret":                "alter role x password ?",
		"select E'a\\'secret', 2":                      "select ?",
		"select 'a\\', 'secret'":                       "select ?",
		"select $$secret$$ || $x$secret$x$":            "select ?",
		"select a -- secret\n":                         "select a ...",
		"select a /* secret":                           "select a ...",
		"select a1, 1.5e3":                             "select a1, ?.?",
		"":                                             "",
		"select \"open":                                "select ?",
		"größe = U&'secret'":                           "größe = U&?",
	} {
		if got := withoutLiterals(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
	if got := withoutLiterals(strings.Repeat("select ", 1000)); len(got) > longestStatement+10 {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzWithoutLiterals(f *testing.F) {
	for _, sql := range []string{"select 'a'", "e'\\", "$", "$1$", "\"", "'", "--", "\xff'", "a'b"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, before string) {
		// What stands in a string that is whole is never seen.
		got := withoutLiterals(strings.NewReplacer("hu5h", "", "\"", "", "'", "").Replace(before) + " 'hu5h'")
		if strings.Contains(got, "hu5h") || len(got) > 1<<16 {
			t.Errorf("%q: %q", before, got)
		}
	})
}
