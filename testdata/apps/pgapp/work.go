package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// workTime is how long a worker needs after it was told to stop.
const workTime = 3 * time.Second

// work finishes what it has begun after SIGTERM, with a new session for each part
// of it, and ends the program.
func work(ctx context.Context, gen int) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	parts, failed := 0, error(nil)
	const enough = 6 // on a slow machine it takes longer
	for end := time.Now().Add(workTime); parts < enough || time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		parts++
		if err := part(ctx); err != nil {
			failed = err
		}
	}
	fmt.Printf("gen=%d has worked: parts=%t error=%v\n", gen, parts >= enough, failed)
	os.Exit(0)
}

func part(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "update things set n = n + $1 where id = 19", 1)
	return err
}

// reading is what a reader has seen so far.
var reading struct {
	sync.Mutex
	pid    uint32 // of its session
	count  int
	failed []string // what went wrong, without repetition
}

// readings is reading in words: the session's pid, whether there are some, and
// what went wrong.
func readings() string {
	reading.Lock()
	defer reading.Unlock()
	return fmt.Sprintf("session=%d reads=%d failed=%q", reading.pid, reading.count, reading.failed)
}

// read reads the table readings again and again with prepared statements on one
// session. Its value is 7, whatever its type.
func read(ctx context.Context) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		note(0, err)
		return
	}
	for range time.Tick(5 * time.Millisecond) {
		for _, sql := range []string{"select * from readings where id = $1", "select id, v from readings where id = $1"} {
			note(conn.PgConn().PID(), readOnce(ctx, conn, sql))
		}
	}
}

func readOnce(ctx context.Context, conn *pgx.Conn, sql string) error {
	rows, err := conn.Query(ctx, sql, 1)
	if err != nil {
		return err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
	if err == nil && fmt.Sprint(row["v"]) != "7" {
		err = fmt.Errorf("%s: the value is %v", sql, row["v"])
	}
	return err
}

func note(pid uint32, err error) {
	reading.Lock()
	defer reading.Unlock()
	reading.pid = pid
	reading.count++
	if err == nil {
		return
	}
	for _, text := range reading.failed {
		if text == err.Error() {
			return
		}
	}
	reading.failed = append(reading.failed, err.Error())
}
