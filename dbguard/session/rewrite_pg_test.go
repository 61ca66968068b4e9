package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/dbguard/session"
)

// pump carries one client to the pooler through a session of mode Rewrite.
type pump struct {
	client, up net.Conn
	writing    sync.Mutex // of up; taken before mu
	mu         sync.Mutex
	s          *session.Session
	moved      *sync.Cond // the server has said something, or the pair has ended
	ended      bool
}

func (p *pump) run(wait *sync.WaitGroup) {
	p.moved = sync.NewCond(&p.mu)
	wait.Go(func() { p.fromServer() })
	wait.Go(func() { p.fromClient() })
}

func (p *pump) end() {
	p.client.Close()
	p.up.Close()
	p.mu.Lock()
	p.ended = true
	p.moved.Broadcast()
	p.mu.Unlock()
}

func (p *pump) fromServer() {
	defer p.end()
	buf := make([]byte, 32<<10)
	for {
		n, err := p.up.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		out, inject := p.s.Server(buf[:n], time.Now())
		p.moved.Broadcast()
		p.mu.Unlock()
		if len(inject) > 0 {
			p.writing.Lock()
			p.up.Write(inject)
			p.writing.Unlock()
		}
		if _, err := p.client.Write(out); err != nil {
			return
		}
	}
}

func (p *pump) fromClient() {
	defer p.end()
	buf := make([]byte, 32<<10)
	for {
		n, err := p.client.Read(buf)
		if err != nil {
			return
		}
		for in := buf[:n]; len(in) > 0; {
			k, seen := p.forward(in)
			if in = in[k:]; k == 0 && !p.await(seen) {
				return
			}
		}
	}
}

// forward passes what the session takes. seen is what the server had said by then.
func (p *pump) forward(in []byte) (n int, seen uint64) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	out, n := p.s.Client(in, time.Now())
	seen = p.s.Snapshot().ServerBytes
	p.mu.Unlock()
	p.up.Write(out)
	return n, seen
}

// await waits until the server has said more than seen.
func (p *pump) await(seen uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.ended && p.s.Snapshot().ServerBytes == seen {
		p.moved.Wait()
	}
	return !p.ended
}

// proxy is a listener whose clients go through pumps to url; it asks no password.
func proxy(t *testing.T, url string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { serve(t, c, url, &wait) })
		}
	})
	t.Cleanup(func() { l.Close(); wait.Wait() })
	return fmt.Sprintf("postgres://%s/postgres?user=postgres&sslmode=disable", l.Addr())
}

func serve(t *testing.T, c net.Conn, url string, wait *sync.WaitGroup) {
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		c.Close()
		return
	}
	up := login(t, url)
	b.Send(&pgproto3.AuthenticationOk{})
	for k, v := range up.ParameterStatuses {
		b.Send(&pgproto3.ParameterStatus{Name: k, Value: v})
	}
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	b.Flush()
	(&pump{client: c, up: up.Conn, s: session.New(session.Options{Mode: session.Rewrite})}).run(wait)
}

func login(t testing.TB, url string) *pgconn.HijackedConn {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	if err := conn.SyncConn(ctx); err != nil {
		t.Error(err)
	}
	up, err := conn.Hijack()
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return up
}

func pooler(t *testing.T) (server *pgtest.Server, direct, through string) {
	server = pgtest.Start(t)
	b := pgtest.PgBouncer(t, server, pgtest.Pool{Mode: "transaction", Size: 5})
	c := pgtest.Conn{Database: "postgres"}
	return server, server.URL(c), b.URL(c)
}

// TestPgxDefaultMode: pgx's cache of named statements over a pool of five, by programs that come
// and go, with statements of the same names.
func TestPgxDefaultMode(t *testing.T) {
	_, _, url := pooler(t)
	through := proxy(t, url)
	const runs, workers, queries = 4, 8, 150
	for run := range runs {
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() { work(t, through, run, w, queries) })
		}
		wait.Wait()
	}
}

func work(t *testing.T, url string, run, worker, queries int) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(ctx)
	for i := range queries {
		var err error
		switch i % 3 {
		case 0:
			err = one(ctx, conn, i, run, worker)
		case 1:
			err = batch(ctx, conn, i)
		default:
			err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return one(ctx, tx, i, worker, run) })
		}
		if err != nil {
			t.Errorf("run %d worker %d query %d: %v", run, worker, i, err)
			return
		}
	}
}

type rower interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}

// one checks a row of a statement whose text, types and number of columns differ.
func one(ctx context.Context, q rower, i, a, b int) error {
	var n, m int
	var s string
	switch (i + a + b) % 3 {
	case 0:
		s = "x"
		n = i*1000 + 7
		if err := q.QueryRow(ctx, "select $1::int*1000+7", i).Scan(&m); err != nil {
			return err
		}
	case 1:
		n = i
		if err := q.QueryRow(ctx, fmt.Sprintf("select $1::text, $2::int8 /* %d */", a), "x", i).Scan(&s, &m); err != nil {
			return err
		}
	case 2:
		n = i - 5
		if err := q.QueryRow(ctx, fmt.Sprintf("select $1::int8-5, 'x'::text as c%d", b), i).Scan(&m, &s); err != nil {
			return err
		}
	}
	if n != m || s != "x" {
		return fmt.Errorf("got %d %q, want %d", m, s, n)
	}
	return nil
}

func batch(ctx context.Context, conn *pgx.Conn, i int) error {
	var b pgx.Batch
	for k := range 5 {
		b.Queue(fmt.Sprintf("select $1::int + %d", k), i)
	}
	results := conn.SendBatch(ctx, &b)
	for k := range 5 {
		var n int
		if err := results.QueryRow().Scan(&n); err != nil || n != i+k {
			results.Close()
			return fmt.Errorf("batch: %d, want %d: %w", n, i+k, err)
		}
	}
	return results.Close()
}

// raw speaks the protocol itself.
type raw struct {
	t    testing.TB
	conn net.Conn
}

func dialRaw(t testing.TB, url string) *raw {
	up := login(t, url)
	t.Cleanup(func() { up.Conn.Close() })
	return &raw{t, up.Conn}
}

// messages builds frames: a type byte and a body in which | stands for NUL.
func messages(ms ...string) (out []byte) {
	for _, m := range ms {
		body := strings.ReplaceAll(m[1:], "|", "\x00")
		out = append(out, m[0])
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)+4))
		out = append(out, body...)
	}
	return out
}

// say sends and returns what comes, up to and with that many ReadyForQuery.
func (r *raw) say(readies int, ms ...string) (got []string) {
	r.t.Helper()
	if _, err := r.conn.Write(messages(ms...)); err != nil {
		r.t.Fatal(err)
	}
	r.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for readies > 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r.conn, head); err != nil {
			r.t.Fatalf("after %q: %v", got, err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(r.conn, body); err != nil {
			r.t.Fatal(err)
		}
		switch head[0] {
		case 'Z':
			readies--
		case 'N', 'S':
			continue
		case 'E':
			body = []byte(essence(body))
		}
		got = append(got, string(head[:1])+string(body))
	}
	return got
}

// essence is what has to be equal of an error: without positions and source lines.
func essence(body []byte) string {
	var out []string
	for f := range bytes.SplitSeq(body, []byte{0}) {
		if len(f) > 0 && strings.IndexByte("SVCM", f[0]) >= 0 {
			out = append(out, string(f))
		}
	}
	return strings.Join(out, " ")
}

// TestUnnamedOverTwoRoundTrips is what lib/pq does with arguments: Parse and Describe of the
// unnamed statement, Sync, then Bind and Execute.
func TestUnnamedOverTwoRoundTrips(t *testing.T) {
	_, _, url := pooler(t)
	through := proxy(t, url)
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			up := login(t, through)
			defer up.Conn.Close()
			r := &raw{t, up.Conn}
			for i := range 200 {
				r.say(1, fmt.Sprintf("P|select $1::text, 'w%d i%d'|||", w, i), "DS|", "S")
				got := r.say(1, "B|||||\x01|||\x02hi||", "E|||||", "S")
				if want := fmt.Sprintf("w%d i%d", w, i); len(got) != 4 || !strings.HasSuffix(got[1], want) {
					t.Errorf("got %q, want %q", got, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

// conversations are held with the server itself, and through a pooler; what the client sees must be
// the same. Each line is sent at once; = begins how many ReadyForQuery it waits for when that is
// not one.
var conversations = map[string][][]string{
	"duplicate":         {{"Pa|select 1|||", "S"}, {"Pa|select 2|||", "S"}, {"B|a||||||||", "E|||||", "S"}},
	"unknown":           {{"B|a||||||||", "E|||||", "S"}, {"DSa|", "S"}, {"B|||||||||", "S"}, {"CSa|", "S"}},
	"query and unnamed": {{"P|select 1|||", "S"}, {"B||||||||", "E|||||", "S"}, {"Qselect 2|"}, {"B||||||||", "E|||||", "S"}},
	"failed unnamed":    {{"P|select 1|||", "S"}, {"P|selec|||", "S"}, {"B||||||||", "S"}},
	"deallocate":        {{"Pa|select 1|||", "S"}, {"Qdeallocate A|"}, {"B|a|||||||", "S"}, {"Qdeallocate a|"}},
	"deallocate itself": {{"Pa|deallocate a|||", "B|a|||||||", "E|||||", "S"}, {"B|a|||||||", "S"}},
	"deallocate all":    {{"Pa|select 1|||", "S"}, {"P|deallocate all|||", "B||||||||", "DP|", "E|||||", "S"}, {"B|a|||||||", "S"}},
	"discard all":       {{"Pa|select 1|||", "S"}, {"Qdiscard all|"}, {"B|a|||||||", "S"}, {"Qbegin|"}, {"Qdiscard all|"}, {"Qrollback|"}},
	"aborted": {{"Pa|select 1|||", "Pr|rollback|||", "S"}, {"Qbegin|"}, {"Qselect 1/0|"}, {"B|a|||||||", "E|||||", "S"}, {"DSr|", "S"},
		{"Qdeallocate a|"}, {"B|gone|||||||", "S"}, {"B|r|||||||", "E|||||", "S"}, {"B|a|||||||", "E|||||", "S"}},
	"error in a batch": {{"Pa|select 1|||", "Pb|selec|||", "Pc|select 3|||", "S"}, {"DSa|", "S"}, {"DSb|", "S"}, {"DSc|", "S"}},
	"portal with row limit": {{"Qbegin|"}, {"Pa|select generate_series(1,3)|||", "Pb|select 9|||", "Bp|a|||||||", "Ep||||\x02", "S"},
		{"B|b|||||||", "E|||||", "S"}, {"Ep||||\x02", "S"}, {"Qcommit|"}, {"Ep||||\x02", "S"}},
	"copy in": {{"Qcreate table c(x int)|"}, {"Pa|copy c from stdin|||", "B|a|||||||", "E|||||", "d1\n", "c", "S"},
		{"B|a|||||||", "E|||||", "S", "d2\n", "c", "S"}, {"B|a|||||||", "E|||||", "dno\n", "c", "S"}, {"Qcopy c from stdin|", "d3\n", "c"},
		{"B|a|||||||", "E|||||", "fwhy|", "S"}, {"Qselect sum(x) from c|"}, {"Qdrop table c|"}},
	"a Query among the data of a failed COPY": {{"Qcreate table q(x int)|"}, {"=2", "Qcopy q from stdin|", "dx\n", "Qbegin|", "c"},
		{"Qselect 1|"}, {"Qrollback|"}, {"Qdrop table q|"}},
	"Sync among the data of a COPY": {{"Qcreate table y(x int)|"}, {"=3", "P|copy y from stdin|||", "B||||||||", "E|||||", "dx\n", "S", "c", "S", "Qbegin|"},
		{"Qrollback|"}, {"=2", "Qcopy y from stdin|", "d1\n", "S", "c", "Qselect 1|"}, {"=3", "Qcopy y from stdin|", "dx\n", "S", "c", "Qbegin|"},
		{"Qrollback|"}, {"Qdrop table y|"}},
	"two COPYs in a Query": {{"Qcreate table w(x int)|"}, {"Qcopy w from stdin; copy w from stdin|", "d1\n", "c", "d2\n", "c"},
		{"Qcopy w from stdin; select 1/0|", "d3\n", "c"}, {"Qcopy w from stdin; copy w from stdin|", "d4\n", "c", "dx\n", "c"},
		{"Qbegin; copy w from stdin|", "d5\n", "c"}, {"Qselect sum(x) from w; rollback|"}, {"Qselect sum(x) from w|"}, {"Qdrop table w|"}},
	"a portal of DEALLOCATE is older than the statement": {{"P|deallocate a|||", "Bp||||||||", "Pa|select 1|||", "Ep|||||", "S"}, {"B|a|||||||", "S"}},
	"a portal of DEALLOCATE is closed with its transaction": {{"Qbegin|"}, {"P|deallocate a|||", "Bp||||||||", "S"}, {"Qcommit; begin|"},
		{"Pa|select 1|||", "S"}, {"Ep|||||", "S"}, {"Qrollback; begin; savepoint s|"}, {"P|deallocate b|||", "Bp||||||||", "S"},
		{"Qrollback to s|"}, {"Pb|select 1|||", "S"}, {"Ep|||||", "S"}, {"Qrollback|"}},
	"so is one of DISCARD ALL": {{"Qbegin|"}, {"P|discard all|||", "Bp||||||||", "S"}, {"Qcommit; begin|"}, {"Ep|||||", "S"}, {"Qrollback|"}},
	"COPY behind a change": {{"Qcreate table z(x int)|"}, {"Pa|select * from z|||", "Pc|copy z from stdin|||", "DSa|", "S"}, {"Qalter table z alter x type text|"},
		{"=2", "B|a|||||||", "B|c|||||||", "E|||||", "S", "S", "d1\n"}, {"B|a|||||||", "B|c|||||||", "E|||||", "S", "d1\n", "c"},
		{"Qbegin|"}, {"B|a|||||||", "B|c|||||||", "E|||||", "S", "d1\n", "c"}, {"Qrollback|"}, {"Qselect count(*) from z|"}, {"Qdrop table z|"}},
	"altered": {{"Qcreate table s(x int); insert into s values (1)|"}, {"Pa|select * from s|||", "DSa|", "S"}, {"Pb|insert into s values (5)|||", "S"},
		{"Qalter table s alter x type text|"}, {"B|a|||||||", "E|||||", "S"}, {"DSa|", "S"},
		{"Qbegin|"}, {"B|a|||||||", "E|||||", "S"}, {"Qselect 1|"}, {"Qrollback|"}, {"CSa|", "Pa|select * from s|||", "B|a|||||||", "E|||||", "S"},
		{"Qdrop table s|"}, {"B|a|||||||", "E|||||", "S"}},
	"pipeline of syncs":           {{"=6", "Pa|select 1|||", "S", "B|a|||||||", "E|||||", "S", "Pb|selec|||", "S", "B|b|||||||", "S", "CSa|", "S", "B|a|||||||", "S"}},
	"null":                        {{"Pa|select $1::int|\x00\x01\x00\x00\x00\x17", "B|a||||\x01\xff\xff\xff\xff||", "DP|", "E|||||", "S"}, {"DSa|", "S"}},
	"types that the server finds": {{"Pa|select $1 + 1|||", "DSa|", "S"}, {"B|a||||\x01|||\x012||", "E|||||", "S"}, {"DSa|", "S"}},
	"empty":                       {{"Pa||||", "DSa|", "B|a|||||||", "E|||||", "S"}, {"B|a|||||||", "DP|", "E|||||", "S"}, {"Q|"}},
}

func TestConversations(t *testing.T) {
	_, direct, url := pooler(t)
	through := proxy(t, url)
	for name, lines := range conversations {
		t.Run(name, func(t *testing.T) {
			a, b := dialRaw(t, direct), dialRaw(t, through)
			for _, line := range lines {
				n := 1
				if line[0][0] == '=' {
					n, line = int(line[0][1]-'0'), line[1:]
				}
				want := a.say(n, line...)
				if isDDL(line[0]) { // once is enough
					continue
				}
				if got := b.say(n, line...); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%q\n got %q\nwant %q", line, got, want)
				}
			}
		})
	}
}

func isDDL(m string) bool {
	return strings.HasPrefix(m, "Qcreate") || strings.HasPrefix(m, "Qalter") || strings.HasPrefix(m, "Qdrop")
}
