package dbguard

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	campaign = flag.Bool("campaign", false, "run the long form of the tests of RetryTx under cut connections")
	seed     = flag.Uint64("seed", 1, "of the cut points")
)

// operation is one transaction of the campaign, and what RetryTx said of it.
type operation struct {
	cuts []cut
	runs int
	err  error
}

// TestCommitIsNeverLostOrDoubled cuts the connection at seeded points before, during
// and after COMMIT, in either direction, of one attempt or of several. The ledger,
// which has no unique index, then shows what the server has committed.
func TestCommitIsNeverLostOrDoubled(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "payer", "secret", "")
	b := pgtest.PgBouncer(t, s, pgtest.Pool{Mode: "transaction"})
	user := pgtest.Conn{User: "payer"}
	t.Run("direct", func(t *testing.T) { testCuts(t, s, s.URL(user), s.Port, 80, 1500) })
	t.Run("transaction pooler", func(t *testing.T) { testCuts(t, s, b.URL(user), b.Port, 60, 1500) })
}

func testCuts(t *testing.T, s *pgtest.Server, url string, port, points, long int) {
	if *campaign {
		points = long
	}
	s.Exec(t, "drop table if exists ledger; create table ledger (op int, part int); grant all on ledger to payer")
	relay := newFaulty(t, net.JoinHostPort(s.Host, strconv.Itoa(port)))
	pool, _ := openAt(t, relay.url(t, url), WithMaxConns(1))
	c := &cutting{pool: pool, relay: relay, random: rand.New(rand.NewPCG(*seed, 0))}
	c.measure(t)
	ops := make([]operation, points)
	for i := range ops {
		ops[i].cuts = c.plan()
		c.pay(t, i, &ops[i])
	}
	relay.arm(nil)
	until(t, s, "0", "select count(*) from pg_stat_activity where usename = 'payer' and state <> 'idle'")
	judge(t, s, ops, relay.cuts)
}

type cutting struct {
	pool   *pgxpool.Pool
	relay  *faulty
	random *rand.Rand
	whole  [2]int // bytes of a transaction by the client, by the server
	login  [2]int // bytes of a login
}

// measure counts the bytes of a login and of a transaction that nobody disturbs.
func (c *cutting) measure(t *testing.T) {
	if err := c.pool.Ping(testContext(t)); err != nil {
		t.Fatal(err)
	}
	c.login = c.relay.passed()
	for range 2 { // the second finds its statements prepared
		c.relay.arm(nil)
		var op operation
		c.pay(t, -1, &op)
		if op.err != nil {
			t.Fatal(op.err)
		}
		c.whole = c.relay.passed()
	}
}

// Bytes of Query "commit" and of its answer, CommandComplete and ReadyForQuery.
var commitBytes = [2]int{12, 18}

// plan makes the cuts of one operation: mostly one, half of them about COMMIT.
func (c *cutting) plan() []cut {
	cuts := make([]cut, 1+max(0, c.random.IntN(6)-3))
	for i := range cuts {
		direction := c.random.IntN(2)
		after := c.random.IntN(c.whole[direction] + 1)
		if c.random.IntN(2) == 0 {
			after = c.whole[direction] - c.random.IntN(commitBytes[direction]+2)
		}
		if i > 0 { // on a connection that has yet to log in
			after = c.random.IntN(c.login[direction] + 2*c.whole[direction])
		}
		cuts[i] = cut{fromServer: direction == 1, after: after, reset: c.random.IntN(2) == 0}
	}
	return cuts
}

// pay writes two lines of the ledger in one transaction.
func (c *cutting) pay(t *testing.T, id int, op *operation) {
	c.relay.arm(op.cuts)
	w := &waits{}
	op.err = RetryTx(testContext(t), c.pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		op.runs++
		for part := range 2 {
			if _, err := tx.Exec(ctx, "insert into ledger values ($1, $2)", id, part); err != nil {
				return err
			}
		}
		return nil
	}, w.option())
}

// judge compares what RetryTx said with what the server has.
func judge(t *testing.T, s *pgtest.Server, ops []operation, cuts int) {
	lines := map[string]string{}
	for _, row := range s.Query(t, "select op, string_agg(part::text, ',' order by part) from ledger group by op") {
		lines[row[0]] = row[1]
	}
	seen, reasons := map[string]int{}, map[string]int{}
	for i, op := range ops {
		got := lines[strconv.Itoa(i)]
		said := outcome(op)
		seen[fmt.Sprintf("%s, %s", said, map[string]string{"": "absent", "0,1": "present"}[got])]++
		if said == "failed" {
			reasons[Classify(op.err).String()+" "+sqlState(op.err)]++
		}
		switch {
		case got != "" && got != "0,1":
			t.Errorf("operation %d, %+v: committed %q", i, op, got)
		case said == "success" && got == "", said == "success after retry" && got == "":
			t.Errorf("operation %d, %+v: reported as committed and lost", i, op)
		case said == "failed" && got != "":
			t.Errorf("operation %d, %+v: reported as not committed, and was", i, op)
		}
	}
	t.Logf("%d operations, %d cuts: %v; failed: %v", len(ops), cuts, seen, reasons)
	for _, want := range []string{"success after retry, present", "unknown, present", "unknown, absent"} {
		if seen[want] == 0 {
			t.Errorf("no operation of the kind %q: the cuts do not do what they are for", want)
		}
	}
}

func outcome(op operation) string {
	var unknown *OutcomeUnknownError
	switch {
	case op.err == nil && op.runs > 1:
		return "success after retry"
	case op.err == nil:
		return "success"
	case errors.As(op.err, &unknown):
		return "unknown"
	}
	return "failed"
}
