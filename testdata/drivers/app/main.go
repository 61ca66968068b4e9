// Command app is an app under development: eight workers that ask a database
// for rows and check each of them, through the driver that -driver names.
//
// It writes "bad: WHY" for each query that failed or returned another row than
// asked for, "done" once -queries queries were made, and goes on until it is
// killed or told to stop; then it ends the queries under way, closes its
// sessions and writes "stopped".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

const workers = 8

// statements are distinct by the constant that each returns as v.
const statements = 12

func statement(k int) string {
	return fmt.Sprintf("select id, name, %d as v from users where id = $1", k)
}

// row is what a statement returns.
type row struct {
	id   int
	name string
	v    int
}

// driver asks for one row; the numbers of statements are below statements.
type driver interface {
	query(ctx context.Context, k, id int) (row, error)
	close()
}

func main() {
	name := flag.String("driver", "pgx", "pgx, pq or pq-prepare")
	queries := flag.Int64("queries", 5000, "queries before it says done")
	users := flag.Int("users", 1000, "rows of the table users")
	migrations := flag.String("migrations", "", "a directory of migrations to run instead")
	flag.Parse()
	work := func() error { return run(*name, *queries, *users) }
	if *migrations != "" {
		work = func() error { return migrateUp(*migrations, os.Getenv("DATABASE_URL")) }
	}
	if err := work(); err != nil {
		log.Fatal(err)
	}
}

func run(name string, queries int64, users int) error {
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer release()
	d, err := open(context.Background(), name, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	var asked, answered atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for stop.Err() == nil {
				n := int(asked.Add(1))
				check(d, n%statements, 1+n*7919%users)
				if answered.Add(1) == queries {
					fmt.Println("done")
				}
			}
		})
	}
	all.Wait()
	d.close()
	fmt.Println("stopped")
	return nil
}

func open(ctx context.Context, name, url string) (driver, error) {
	switch name {
	case "pgx":
		return openPgx(ctx, url)
	case "pq":
		return openPQ(url, false)
	case "pq-prepare":
		return openPQ(url, true)
	}
	return nil, fmt.Errorf("there is no driver %q", name)
}

// check asks for one row, and says so when it is another.
func check(d driver, k, id int) {
	switch got, err := d.query(context.Background(), k, id); {
	case err != nil:
		fmt.Println("bad:", brief(err))
	case got != (row{id, fmt.Sprintf("user-%d", id), k}):
		fmt.Println("bad: wrong row")
	}
}

// brief returns a server's code, or the text of another error.
func brief(err error) string {
	var server interface{ SQLState() string }
	if errors.As(err, &server) {
		return server.SQLState()
	}
	return err.Error()
}
