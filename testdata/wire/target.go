package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// way is one way to reach the server.
type way struct {
	name   string
	does   string // for the table
	pool   string // mode of a PgBouncer before the server
	role   string // of a process of ours before that
	ahead  bool   // connects are those of new generations; nothing else is measured
	hidden bool   // only when asked for
}

// direct is the way that all ratios refer to.
const direct = "direct"

var ways = []way{
	{name: direct, does: "direct"},
	{name: "session", does: "**devguard, mode session**", role: "session"},
	{name: "pgbouncer", does: "PgBouncer, session mode", pool: "session"},
	{name: "transaction", does: "devguard, mode transaction", role: "transaction"},
	{name: "transaction-pgbouncer", does: "devguard, mode transaction, over PgBouncer, transaction mode", pool: "transaction", role: "transaction"},
	{name: "ahead", does: "**devguard, session dialled ahead**", role: "session", ahead: true},
	{name: "floor", does: "io.Copy", role: "floor", hidden: true},
	{name: "loop", does: "Read and Write", role: "loop", hidden: true},
}

// target is a way that is open.
type target struct {
	way
	url   string
	child *child    // nil when no process of ours is on the way
	conn  *pgx.Conn // for all but connects; nil with ahead
	last  *pgx.Conn // with ahead: of the generation that runs

	samples map[string][]time.Duration // by measure, one a round
}

// open starts what is on the way to the server.
func open(ctx context.Context, s *stage, server *pgtest.Server, w way, profiles string) *target {
	t := &target{way: w, url: server.URL(user), samples: map[string][]time.Duration{}}
	if w.pool != "" {
		t.url = pgtest.PgBouncer(s, server, pgtest.Pool{Mode: w.pool}).URL(user)
	}
	if w.role != "" {
		if profiles != "" {
			profiles = filepath.Join(profiles, w.name+".pprof")
		}
		t.child = startChild(s, w.role, t.url, profiles)
		var err error
		t.url, err = t.child.ask("start")
		s.must(err)
	}
	conn, err := pgx.Connect(ctx, t.url)
	s.must(err)
	s.Cleanup(func() { t.close() })
	if w.ahead {
		t.last = conn
	} else {
		t.conn = conn
	}
	return t
}

func (t *target) close() {
	for _, c := range []*pgx.Conn{t.conn, t.last} {
		if c != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			c.Close(ctx)
			cancel()
		}
	}
}

// next makes the next connect possible, for ahead by the order of a restart.
func (t *target) next(ctx context.Context) error {
	if !t.ahead {
		return nil
	}
	if _, err := t.child.ask("build"); err != nil {
		return err
	}
	if err := t.last.Close(ctx); err != nil {
		return err
	}
	t.last = nil
	var err error
	t.url, err = t.child.ask("start")
	return err
}

// connect opens a session and asks it something, and says when it had each.
func (t *target) connect(ctx context.Context) (login, answer time.Duration, err error) {
	if err := t.next(ctx); err != nil {
		return 0, 0, err
	}
	config, err := pgx.ParseConfig(t.url)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	conn, err := pgx.ConnectConfig(ctx, config)
	login = time.Since(begin)
	if err != nil {
		return 0, 0, err
	}
	err = oneRow(ctx, conn)
	answer = time.Since(begin)
	if t.ahead {
		t.last = conn
		return login, answer, err
	}
	if closing := conn.Close(ctx); err == nil {
		err = closing
	}
	return login, answer, err
}

// user is whom everybody logs in as: no superuser, as an app should be.
var user = pgtest.Conn{User: "app", Database: "app"}

// startServer starts the server, with what is read and written.
func startServer(ctx context.Context, s *stage) *pgtest.Server {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name) // pgx reads them
		}
	}
	server := pgtest.Start(s)
	server.CreateRole(s, user.User, "s3cret-of-app", "")
	server.CreateDB(s, user.Database, user.User)
	conn, err := pgx.Connect(ctx, server.URL(user))
	s.must(err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, fmt.Sprintf(`create table items (id int primary key, name text not null, price numeric not null);
insert into items select i, 'item ' || i, i %% 100 from generate_series(1, %d) i;
create unlogged table copied (line text);
analyze items`, items))
	s.must(err)
	return server
}
