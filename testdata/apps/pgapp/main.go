// pgapp opens sessions to DATABASE_URL and leaves each in a state that a word
// of PGAPP_PLANS names, so that a test can stop it there. It prints what it
// found in the database before that, and serves.
//
// The plans are separated by ";", generation n follows the one at n modulo
// their number. A word is a session: idle, tx (an open transaction with a row
// lock), query (a long query in such a transaction), temp (temporary table,
// prepared statement, advisory lock, LISTEN). Two words change the app itself:
// named (it sets an application_name of its own), deaf (it ignores SIGTERM).
//
// With an argument it is a migration: it runs the SQL of that file.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
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
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "gen=%d %s", gen, version) })
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

// left counts what the role's other sessions hold: those of PGAPP_SPARE (pids)
// and devguard's own, which may still be on their way out, are not counted.
const left = `
with other as (
  select pid from pg_stat_activity where usename = current_user and backend_type = 'client backend' and pid <> pg_backend_pid()
    and application_name <> 'devguard' and pid <> all (string_to_array($1, ',')::int[]))
select (select count(*) from other), (select count(*) from pg_locks where pid in (select pid from other))`

func follow(ctx context.Context, gen int, plan []string) error {
	if len(plan) == 0 {
		return nil
	}
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	var sessions, locks int
	if err := conn.QueryRow(ctx, left, os.Getenv("PGAPP_SPARE")).Scan(&sessions, &locks); err != nil {
		return err
	}
	fmt.Printf("gen=%d is connected to %s:%d/%s\n", gen, conn.Config().Host, conn.Config().Port, conn.Config().Database)
	fmt.Printf("gen=%d found sessions=%d locks=%d\n", gen, sessions, locks)
	conn.Close(ctx)
	named := false
	for i, word := range plan {
		switch word {
		case "named":
			named = true
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
		default:
			if err := hold(ctx, i+1, word, named); err != nil {
				return err
			}
		}
	}
	return nil
}

// held keeps the sessions from the garbage collector, which would close them.
var held []*pgx.Conn

// hold opens one session and leaves it in a state.
func hold(ctx context.Context, id int, state string, named bool) error {
	config, err := pgx.ParseConfig(os.Getenv("DATABASE_URL"))
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
	lock := fmt.Sprintf("begin; update things set n = n + 1 where id = %d", id)
	sql := map[string]string{
		"idle": "select 1", "tx": lock, "query": lock,
		"temp": "create temp table t (a int); prepare p as select 1; select pg_advisory_lock(7); listen x",
	}[state]
	if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	held = append(held, conn)
	if state == "query" {
		go conn.Exec(ctx, "select pg_sleep(600)")
	}
	return nil
}
