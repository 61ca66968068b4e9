// pgapp opens sessions to DATABASE_URL and leaves each in a state that a word
// of PGAPP_PLANS names, so that a test can stop it there. It prints what it
// found in the database before that, and serves.
//
// The plans are separated by ";", generation n follows the one at n modulo
// their number. A word is a session: idle, tx (an open transaction with a row
// lock), query (a long query in such a transaction), table, lock, listen, set,
// prepare, prepared (what a session can keep, one by one; the last through the
// protocol), temp (all of these). The other words change the app itself: named
// (it sets an application_name of its own), deaf (it ignores SIGTERM), hard (its
// sessions go to PGAPP_HARD, a URL without its scheme, whatever DATABASE_URL
// says), reader and worker (work.go).
//
// With an argument it is a migration: it runs the SQL of that file.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

const version = "v1"

func main() {
	if len(os.Args) > 1 {
		if err := migrate(context.Background(), os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	gen, _ := strconv.Atoi(os.Getenv("DEVGUARD_GEN"))
	plans := strings.Split(os.Getenv("PGAPP_PLANS"), ";")
	plan := strings.Fields(plans[gen%len(plans)])
	fmt.Printf("gen=%d version=%s PGAPPNAME=%q PGOPTIONS=%q DATABASE_URL=%t\n",
		gen, version, os.Getenv("PGAPPNAME"), os.Getenv("PGOPTIONS"), os.Getenv("DATABASE_URL") != "")
	if err := follow(context.Background(), gen, plan); err != nil {
		fmt.Printf("gen=%d failed: %v\n", gen, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("gen=%d serves %s\n", gen, strings.Join(plan, " "))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "gen=%d %s %s", gen, version, readings()) })
	fmt.Println(http.Serve(listener, nil))
}

// migrate runs a file of SQL.
func migrate(ctx context.Context, file string) error {
	sql, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, string(sql), pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// left counts what the role's other sessions hold: those of PGAPP_SPARE (pids),
// devguard's own, which may still be on their way out, and those that devguard
// has opened for us and that have done nothing yet are not counted.
const left = `
with other as (
  select pid from pg_stat_activity where usename = current_user and backend_type = 'client backend' and pid <> pg_backend_pid()
    and application_name <> 'devguard' and pid <> all (string_to_array($1, ',')::int[])
    and not (query in ('', '-- ping') and application_name in (current_setting('application_name'), 'my-service')))
select (select count(*) from other), (select count(*) from pg_locks where pid in (select pid from other))`

// self is what the server says of our session: where it is, how it is called, and
// whether it is older than this process.
const self = `
select host(inet_server_addr()) || ':' || inet_server_port() || '/' || current_database(), current_setting('application_name'),
  current_setting('client_connection_check_interval', true), backend_start < $1
from pg_stat_activity where pid = pg_backend_pid()`

// began is when this process was: no session that it asked for is older.
var began = time.Now()

// databaseURL is where the sessions go. PGAPP_PASSWORD is a password of the code's own.
var databaseURL = withPassword(os.Getenv("DATABASE_URL"), os.Getenv("PGAPP_PASSWORD"))

func withPassword(conn, password string) string {
	u, err := url.Parse(conn)
	if err != nil || password == "" {
		return conn
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

func follow(ctx context.Context, gen int, plan []string) error {
	if len(plan) == 0 {
		return nil
	}
	if err := look(ctx, gen); err != nil {
		return err
	}
	named := false
	for i, word := range plan {
		switch word {
		case "named":
			named = true
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
		case "hard":
			databaseURL = "postgres://" + os.Getenv("PGAPP_HARD")
		case "worker":
			go work(ctx, gen)
		case "reader":
			go read(ctx)
		default:
			if err := hold(ctx, i+1, word, named); err != nil {
				return err
			}
		}
	}
	return nil
}

// look says what there is in the database before we do anything.
func look(ctx context.Context, gen int) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer quit(ctx, conn)
	var sessions, locks int
	if err := conn.QueryRow(ctx, left, os.Getenv("PGAPP_SPARE")).Scan(&sessions, &locks); err != nil {
		return err
	}
	var server, name, check string
	var ahead bool
	if err := conn.QueryRow(ctx, self, began).Scan(&server, &name, &check, &ahead); err != nil {
		return err
	}
	fmt.Printf("gen=%d is connected to %s\n", gen, server)
	fmt.Printf("gen=%d is named %q check=%s ahead=%t\n", gen, name, check, ahead)
	fmt.Printf("gen=%d found sessions=%d locks=%d\n", gen, sessions, locks)
	return nil
}

// quit ends a session and waits until the server has, so that it is not counted
// among those that we leave behind.
func quit(ctx context.Context, conn *pgx.Conn) {
	c := conn.PgConn()
	c.Frontend().Send(&pgproto3.Terminate{})
	_ = c.Frontend().Flush()
	_ = c.Conn().SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.Copy(io.Discard, c.Conn())
	conn.Close(ctx)
}

// held keeps the sessions from the garbage collector, which would close them.
var held []*pgx.Conn

// hold opens one session and leaves it in a state.
func hold(ctx context.Context, id int, state string, named bool) error {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return err
	}
	if named {
		config.RuntimeParams["application_name"] = "my-service"
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	change := fmt.Sprintf("begin; update things set n = n + 1 where id = %d", id)
	sql := map[string]string{
		"idle": "select 1", "tx": change, "query": change,
		"table": "create temp table t (a int)", "lock": "select pg_advisory_lock(7)", "listen": "listen x",
		"set": "set search_path = nowhere", "prepare": "prepare p as select 1", "prepared": "select 1",
		"temp": "create temp table t (a int); prepare p as select 1; select pg_advisory_lock(7); listen x; set search_path = nowhere",
	}[state]
	if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	held = append(held, conn)
	switch state {
	case "query":
		go conn.Exec(ctx, "select pg_sleep(600)")
	case "prepared":
		_, err = conn.Prepare(ctx, "mine", "select 1")
	}
	return err
}
