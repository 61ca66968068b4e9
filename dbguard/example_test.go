package dbguard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"

	"github.com/devguard/devguard/dbguard"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Examples that need a server have no output of their own here: TestExamples runs them
// against one.

var pool *pgxpool.Pool // of the examples below that do not open one

// A service from beginning to end: the pool outlives the signal, so that requests in
// flight can finish. It needs a server in DATABASE_URL.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := dbguard.Open(context.WithoutCancel(ctx), dbguard.WithApplicationName("books"))
	if err != nil {
		fmt.Println(err) // holds no password
		return
	}
	defer pool.Close() // waits for what is in flight

	title, err := dbguard.RetryValue(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) (title string, err error) {
		err = conn.QueryRow(ctx, "select title from book where id = $1", 1).Scan(&title)
		return title, err
	})
	fmt.Println(title, err)
	// It prints: Emma <nil>
}

// Open needs a server in DATABASE_URL, or in SUPABASE_DATABASE_URL. The pool ends with
// its context: a server that shuts down gracefully passes one that ends later.
func ExampleOpen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pool, err := dbguard.Open(ctx, dbguard.WithMaxConns(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.Config().MaxConns)
	// It prints: 4
}

// ConfigFromEnv connects to nothing. What it returns can be printed, and changed before
// Open.
func ExampleConfigFromEnv() {
	env := map[string]string{
		"SUPABASE_DATABASE_URL": "postgres://app:s3cr3t@pooler.example.com:6543/books",
		"DIRECT_URL":            "postgres://app:s3cr3t@db.example.com:5432/books",
	}
	cfg, err := dbguard.ConfigFromEnv(dbguard.WithEnv(func(name string) (string, bool) {
		value, found := env[name]
		return value, found
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg)
	fmt.Println(cfg.DirectURL == env["DIRECT_URL"]) // for migrations
	// Output:
	// database books as app on pooler.example.com:6543 (from SUPABASE_DATABASE_URL)
	// true
}

// One statement that may run twice without harm. It needs a server.
func ExampleRetry() {
	ctx := context.Background()
	err := dbguard.Retry(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, "update book set read_at = now() where id = $1", 1)
		return err
	})
	fmt.Println(err)
	// It prints: <nil>
}

// Rows are collected inside the function: an error may come with the last of them. It
// needs a server.
func ExampleRetryValue() {
	ctx := context.Background()
	titles, err := dbguard.RetryValue(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) ([]string, error) {
		rows, _ := conn.Query(ctx, "select title from book where id < $1 order by id", 3) // CollectRows has the error
		return pgx.CollectRows(rows, pgx.RowTo[string])
	})
	fmt.Println(titles, err)
	// It prints: [Emma Persuasion] <nil>
}

// What must not happen twice. The function is run again as a whole, so it changes
// nothing but the database; its last run is the one that counts. It needs a server.
func ExampleRetryTx() {
	ctx := context.Background()
	var left int
	err := dbguard.RetryTx(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "update book set stock = stock - 1 where id = $1 returning stock", 1).Scan(&left); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into sale (book) values ($1)", 1)
		return err
	})
	var unknown *dbguard.OutcomeUnknownError
	switch {
	case errors.As(err, &unknown):
		fmt.Println("sold or not? look for the sale") // never sell again without looking
	case err != nil:
		fmt.Println("not sold:", err)
	default:
		fmt.Println("sold,", left, "left")
	}
	// It prints: sold, 2 left
}

// After a change of the schema, or of the server behind the pool. It needs a server.
func ExampleReset() {
	ctx := context.Background()
	if err := dbguard.Reset(ctx, pool); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("every connection is new, or will be when it comes back")
	// It prints: every connection is new, or will be when it comes back
}

// It needs a server. The number is that of the statements on the server.
func ExampleClearPreparedStatements() {
	n, err := dbguard.ClearPreparedStatements(context.Background(), pool)
	fmt.Println(n >= 0, err)
	// It prints: true <nil>
}

// Outside of development the handler is not there.
func ExampleResetHandler() {
	mux := http.NewServeMux()
	mux.Handle("/api/debug/reset-db", dbguard.ResetHandler(pool, dbguard.ResetOptions{
		Development: os.Getenv("APP_ENV") == "development", // or DEVGUARD=1, as under devguard
		Token:       os.Getenv("RESET_TOKEN"),              // for whoever is on another machine
	}))

	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest("POST", "http://127.0.0.1/api/debug/reset-db", nil))
	fmt.Println(rec.Code)
	// Output: 404
}

// An app that answers 503 when the database is away, and 500 when the app is wrong.
func ExampleClassify() {
	for _, err := range []error{
		&pgconn.PgError{Code: "42P05", Message: `prepared statement "stmt_1" already exists`},
		&pgconn.PgError{Code: "57P01", Message: "terminating connection due to administrator command"},
		&pgconn.PgError{Code: "42P01", Message: `relation "bok" does not exist`},
		context.DeadlineExceeded,
	} {
		class := dbguard.Classify(err)
		fmt.Println(class, class.Retried())
	}
	// Output:
	// stale statement true
	// terminated true
	// permanent false
	// cancelled false
}
