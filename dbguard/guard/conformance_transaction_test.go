package guard

import (
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

var transactionChecks = []check{
	{name: "aborted transaction", run: abortedTransaction},
	{name: "ROLLBACK through a prepared statement", run: preparedRollback},
	{name: "a statement survives ROLLBACK", run: survivesRollback},
	{name: "a transaction in one pipeline", run: pipelinedTransaction},
	{name: "implicit transaction of a batch", run: implicitTransaction},
	{name: "SAVEPOINT", run: savepoints},
	{name: "COMMIT that fails", run: failingCommit},
}

func abortedTransaction(p *peer) {
	p.say(parse("a", "select 1"), describe("a"), syncs)
	p.sql("begin", "select 1/0", "select 1")
	p.say(using("a")...)
	p.say(describe("a"), syncs)
	p.say(parse("b", "select 2"), syncs)
	p.say(bind("", "none"), execute("", 0), syncs)
	p.say(closeStatement("a"), syncs)
	p.say(parse("c", ""), bind("", "c"), execute("", 0), syncs)
	p.sql("commit", "select 3")
	p.say(using("a")...)
	p.say(using("b")...)
	p.say(using("c")...)
}

func preparedRollback(p *peer) {
	p.say(parse("begin", "begin"), parse("rollback", "rollback"), parse("commit", "commit"), parse("bad", "select 1/$1::int"), syncs)
	for _, end := range []string{"rollback", "commit"} {
		p.say(using("begin")...)
		p.say(using("bad", "1")...)
		p.say(using("bad", "0")...)
		p.say(using("bad", "1")...)
		p.say(describe(end), syncs)
		p.say(using(end)...)
		p.say(using("bad", "1")...)
	}
	p.sql("begin", "select 1/0")
	p.say(parse("", "rollback"), describe(""), syncs)
	p.say(using("")...)
	p.say(using("commit")...) // outside: a warning
}

func survivesRollback(p *peer) {
	p.sql("begin", "create table inside (i int)")
	p.say(parse("kept", "select 1"), parse("lost", "select * from inside"), describe("lost"), syncs)
	p.say(using("lost")...)
	p.sql("rollback")
	p.say(using("kept")...)
	p.say(using("lost")...)
	p.say(parse("kept", "select 2"), syncs)
	p.sql("create table inside (i int)")
	p.say(using("lost")...)
}

func pipelinedTransaction(p *peer) {
	p.sql("create table pt (i int primary key)")
	p.say(parse("ins", "insert into pt values ($1)"), parse("begin", "begin"), parse("commit", "commit"), syncs)
	p.say(slices.Concat(using("begin"), using("ins", "1"), using("ins", "2"), using("commit"))...)
	p.say(slices.Concat(using("begin"), using("ins", "3"), using("ins", "3"), using("ins", "4"), using("commit"), using("ins", "5"))...)
	p.say(bind("", "begin"), execute("", 0), bind("", "ins", "6"), execute("", 0), bind("", "commit"), execute("", 0),
		bind("", "ins", "7"), execute("", 0), syncs)
	p.say(query("begin"), bind("", "ins", "8"), execute("", 0), syncs, query("rollback"))
	p.sql("select array_agg(i order by i) from pt")
}

// implicitTransaction: what comes before an error in a batch is undone with it.
func implicitTransaction(p *peer) {
	p.sql("create table it (i int)")
	p.say(parse("ins", "insert into it values ($1)"), syncs)
	p.say(bind("", "ins", "1"), execute("", 0), bind("", "none"), execute("", 0), syncs)
	p.say(bind("", "ins", "2"), execute("", 0), describe("none"), syncs)
	p.say(bind("", "ins", "3"), execute("", 0), parse("ins", "select 1"), syncs)
	p.say(bind("", "ins", "4"), execute("", 0), syncs)
	p.sql("select array_agg(i) from it")
}

func savepoints(p *peer) {
	p.sql("begin")
	p.say(parse("s", "savepoint s"), parse("to", "rollback to s"), parse("bad", "select 1/0"), syncs)
	p.say(using("s")...)
	p.say(using("bad")...)
	p.say(using("to")...)
	p.say(slices.Concat(using("bad"), using("to"), using("s"), []pgproto3.FrontendMessage{query("select 1")})...)
	p.sql("commit")
	p.say(using("to")...)
}

func failingCommit(p *peer) {
	p.sql("create table fc (i int unique deferrable initially deferred)", "begin", "insert into fc values (1), (1)")
	p.say(parse("commit", "commit"), bind("", "commit"), execute("", 0), syncs)
	p.say(parse("ins", "insert into fc values (2), (2)"), bind("", "ins"), execute("", 0), syncs) // fails at the Sync
	p.sql("select count(*) from fc")
}
