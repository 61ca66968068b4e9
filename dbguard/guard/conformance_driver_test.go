package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var driverChecks = []check{
	{name: "pgx, default mode", run: pgxDefault},
	{name: "pgx, every mode of queries", run: pgxModes},
	{name: "pgx, ALTER under the cache", run: pgxAlter},
	{name: "pgx, CopyFrom", run: pgxCopyFrom},
	{name: "pgx, pipeline mode", run: pgxPipeline},
	{name: "8 clients at once, checked rows", run: eightClients},
}

// open connects pgx to the target.
func (p *peer) open(params string) *pgx.Conn {
	p.Helper()
	conn, err := pgx.Connect(p.Context(), p.url+params)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// row writes a query's first column down, or its error.
func (p *peer) row(conn *pgx.Conn, sql string, args ...any) {
	rows, _ := conn.Query(p.Context(), sql, args...)
	list, err := pgx.CollectRows(rows, pgx.RowTo[any])
	p.write("%s: %v %s", sql, list, short(err))
}

// short is what has to be equal of an error.
func short(err error) string {
	var pe *pgconn.PgError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &pe):
		return pe.Code + " " + pe.Message
	}
	return err.Error()
}

func pgxDefault(p *peer) {
	conn := p.open("")
	for i := range 5 {
		p.row(conn, "select $1::int8 + generate_series(1, 3)", i)
		p.row(conn, "select $1::text || 'x'", fmt.Sprint(i))
		p.row(conn, "select 1/$1::int", i-2)
	}
	p.row(conn, "selec")
	err := pgx.BeginFunc(p.Context(), conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(p.Context(), "select 1/$1::int", 0)
		p.write("%s", short(err))
		return err
	})
	p.write("%s", short(err))
	var b pgx.Batch
	for i := range 10 {
		b.Queue("select $1::int", i).QueryRow(func(row pgx.Row) error {
			var n int
			err := row.Scan(&n)
			p.write("batch %d %s", n, short(err))
			return err
		})
	}
	b.Queue("select 1/0")
	p.write("%s", short(conn.SendBatch(p.Context(), &b).Close()))
	p.write("%s", short(conn.DeallocateAll(p.Context())))
	p.row(conn, "select $1::text || 'x'", "after")
	_, err = conn.Prepare(p.Context(), "mine", "select $1::numeric * 2")
	p.write("%s", short(err))
	p.row(conn, "mine", "1.5")
	p.write("%s", short(conn.Deallocate(p.Context(), "mine")))
	p.row(conn, "mine", "1.5")
}

func pgxModes(p *peer) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		conn := p.open("&default_query_exec_mode=" + mode + "&statement_cache_capacity=2")
		for i := range 3 {
			p.row(conn, "select $1::int + 1", i)
			p.row(conn, "select $1::text", fmt.Sprint(i))
			p.row(conn, "select $1::bool", i == 1)
			p.row(conn, "select nothing from nowhere where $1 = 1", i)
		}
	}
}

func pgxAlter(p *peer) {
	conn := p.open("")
	p.row(conn, "create table pa (i int)")
	p.row(conn, "insert into pa values ($1)", 1)
	for _, typ := range []string{"bigint", "text", "varchar(3)"} {
		p.row(conn, "select * from pa")
		p.row(conn, "select * from pa")
		p.owner("alter table pa alter i type " + typ)
		p.row(conn, "select * from pa")
		p.row(conn, "select * from pa")
	}
}

func pgxCopyFrom(p *peer) {
	conn := p.open("")
	p.row(conn, "create table pcf (i int, t text)")
	for _, bad := range []bool{false, true} {
		n, err := conn.CopyFrom(p.Context(), pgx.Identifier{"pcf"}, []string{"i", "t"}, pgx.CopyFromSlice(3000, func(i int) ([]any, error) {
			if bad && i == 2000 {
				return nil, errors.New("no more")
			}
			return []any{i, strings.Repeat("x", i%50)}, nil
		}))
		p.write("%d %s", n, short(err))
		p.row(conn, "select sum(i + length(t)) from pcf")
	}
}

// pgxPipeline has several batches under way and reads in between.
func pgxPipeline(p *peer) {
	pipe := p.open("").PgConn().StartPipeline(p.Context())
	send := func(name, arg string) {
		pipe.SendPrepare(name, "select $1::int * 2", nil)
		pipe.SendQueryPrepared(name, [][]byte{[]byte(arg)}, nil, nil)
		p.write("%s", short(pipe.Sync()))
	}
	send("a", "1")
	send("a", "2")
	send("b", "x")
	send("c", "4")
	for syncs := 0; syncs < 4; {
		result, err := pipe.GetResults()
		switch r := result.(type) {
		case *pgconn.ResultReader:
			read := r.Read()
			p.write("%q %s %s", read.Rows, read.CommandTag, short(read.Err))
		case *pgconn.PipelineSync:
			syncs++
			p.write("sync")
		default:
			p.write("%T %s", result, short(err))
		}
	}
	p.write("%s", short(pipe.Close()))
}

// eightClients use statements of the same names for different texts.
func eightClients(p *peer) {
	var wait sync.WaitGroup
	lines := make([]string, 8)
	for w := range lines {
		conn := p.open("")
		wait.Go(func() { lines[w] = short(checkedRows(p.Context(), conn, w)) })
	}
	wait.Wait()
	p.write("%q", lines)
}

func checkedRows(ctx context.Context, conn *pgx.Conn, w int) error {
	name := "shared"
	if _, err := conn.Prepare(ctx, name, fmt.Sprintf("select %d, $1::int, 'worker %d'", w, w)); err != nil {
		return err
	}
	for i := range 50 {
		var a, b int
		var c string
		if err := conn.QueryRow(ctx, name, i).Scan(&a, &b, &c); err != nil {
			return err
		}
		if a != w || b != i || c != fmt.Sprintf("worker %d", w) {
			return fmt.Errorf("worker %d, query %d: %d %d %s", w, i, a, b, c)
		}
		if err := conn.QueryRow(ctx, fmt.Sprintf("select $1::int * %d /* %d */", w, i%20), i).Scan(&a); err != nil || a != w*i {
			return fmt.Errorf("worker %d, query %d: %d, %w", w, i, a, err)
		}
	}
	return nil
}
