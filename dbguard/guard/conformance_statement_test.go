package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

var statementChecks = []check{
	{name: "duplicate named Parse", run: duplicateParse},
	{name: "Bind and Describe of unknown names", run: unknownNames},
	{name: "unnamed statement over two round trips", run: unnamedStatement},
	{name: "unnamed statement after a Query", run: unnamedAfterQuery},
	{name: "Close", run: closes},
	{name: "2,000 prepared statements", run: manyStatements},
	{name: "names of 63 bytes and more", run: longNames},
	{name: "names that need quoting", run: oddNames},
	{name: "two clients with the same names", run: sameNames},
	{name: "Describe in every place", run: describes},
	{name: "a time-out in Parse and after it", run: timeouts},
	{name: "a time-out in Bind", run: timeoutInBind, limits: []limit{{where: inTransaction,
		words: "the error of a Bind that waits for a lock (55P03) has the position of the table in the text besides",
		shows: "canceling statement due to lock timeout|P15"}}},
}

func duplicateParse(p *peer) {
	p.say(parse("a", "select 1"), syncs)
	p.say(parse("a", "select 2"), describe("a"), syncs)
	p.say(parse("a", "selec"), syncs) // the text is looked at first
	p.say(using("a")...)
	p.say(parse("b", "select 3"), parse("b", "select 4"), syncs)
	p.say(using("b")...)
	p.sql("begin")
	p.say(parse("a", "select 2"), syncs)
	p.sql("rollback")
	p.say(closeStatement("a"), parse("a", "select 5"), bind("", "a"), execute("", 0), syncs)
}

func unknownNames(p *peer) {
	for _, name := range []string{"none", ""} {
		p.say(using(name)...)
		p.say(describe(name), syncs)
		p.say(describePortal(name), syncs)
		p.say(execute(name, 0), syncs)
		p.say(closeStatement(name), closePortal(name), syncs)
	}
	p.sql("begin")
	p.say(using("none")...)
	p.say(using("none")...)
	p.sql("rollback")
}

func unnamedStatement(p *peer) {
	p.say(parse("", "select $1::int + 1"), describe(""), syncs)
	p.say(using("", "1")...)
	p.say(using("", "2")...)
	p.say(parse("named", "select 'named'"), syncs)
	p.say(using("named")...)
	p.say(using("", "3")...)
	p.say(parse("", "selec"), syncs)
	p.say(using("", "4")...)
	p.say(parse("", "select 'x'"), parse("", "select 'y'"), bind("", ""), execute("", 0), syncs)
	p.say(closeStatement(""), syncs)
	p.say(using("")...)
}

func unnamedAfterQuery(p *peer) {
	for _, sql := range []string{"select 1", "", "selec", "begin"} {
		p.say(parse("", "select 'kept'"), describe(""), syncs)
		p.sql(sql)
		p.say(using("")...)
	}
	p.sql("rollback")
	p.say(parse("", "select 'kept'"), syncs, query("select 1"), bind("", ""), execute("", 0), syncs)
}

func closes(p *peer) {
	p.say(parse("a", "select 1"), syncs)
	p.say(closeStatement("a"), syncs)
	p.say(using("a")...)
	p.say(parse("a", "select 2"), bind("q", "a"), closeStatement("a"), execute("q", 0), closePortal("q"), syncs)
	p.say(describe("a"), syncs)
	p.say(parse("a", "select 3"), syncs, closeStatement("a"), bind("", "a"), syncs, parse("a", "select 4"), syncs)
	p.say(using("a")...)
	p.say(parse("b", "selec"), closeStatement("a"), syncs) // skipped
	p.say(using("a")...)
}

func manyStatements(p *peer) {
	const count = 2000
	var list []pgproto3.FrontendMessage
	for i := range count {
		list = append(list, parse(fmt.Sprintf("s%d", i), fmt.Sprintf("select %d as c%d", i, i)))
	}
	p.say(append(list, syncs)...)
	for _, i := range []int{0, 1, 999, 1999} {
		p.say(describe(fmt.Sprintf("s%d", i)), syncs)
		p.say(using(fmt.Sprintf("s%d", i))...)
	}
	list = nil
	for i := 0; i < count; i += 20 {
		list = append(list, using(fmt.Sprintf("s%d", i))...)
	}
	p.say(list...)
}

// longNames: a server tells 63 bytes of a name apart.
func longNames(p *peer) {
	long := strings.Repeat("n", 63)
	p.say(parse(long, "select 1"), syncs)
	p.say(parse(long+"x", "select 2"), syncs)
	p.say(using(long + "y")...)
	p.say(describe(long[:62]), syncs)
	p.say(closeStatement(long+"z"), syncs)
	p.say(using(long)...)
	long = strings.Repeat("é", 40)
	p.say(parse(long, "select 'é'"), syncs)
	p.say(using(long)...)
	p.say(using(long + "more")...)
	p.sql("deallocate "+long, "deallocate "+long)
	p.sql("begin")
	portal := strings.Repeat("p", 80)
	p.say(parse("a", "select generate_series(1, 3)"), bind(portal, "a"), execute(portal, 1), syncs)
	p.say(execute(portal[:63], 1), closePortal(portal+"p"), syncs)
	p.say(execute(portal, 1), syncs)
	p.sql("rollback")
}

func oddNames(p *peer) {
	for _, name := range []string{`Upper`, `with "quotes"`, `'`, ` `, `;drop`, "\x01", `ü`, `all`, `prepare`, `$1`} {
		p.say(parse(name, "select 1"), syncs)
		p.say(using(name)...)
		p.sql(`deallocate "` + strings.ReplaceAll(name, `"`, `""`) + `"`)
		p.say(using(name)...)
	}
}

func sameNames(p *peer) {
	q := p.another("other: ")
	for i, c := range []*peer{p, q} {
		c.say(parse("s", fmt.Sprintf("select $1::int + %d as client%d", i*100, i)), describe("s"), syncs)
	}
	for range 3 {
		p.say(using("s", "1")...)
		q.say(using("s", "2")...)
	}
	p.sql("begin")
	q.say(closeStatement("s"), parse("s", "select 'new'"), syncs)
	p.say(using("s", "3")...)
	q.say(using("s")...)
	p.say(parse("t", "select 't'"), syncs)
	q.say(using("t")...)
	p.sql("commit")
	q.end()
}

func describes(p *peer) {
	p.sql("create table d (i int not null, t varchar(20), n numeric(6,2))")
	p.say(parse("s", "select *, i + $1 from d where t = $2"), parse("i", "insert into d values ($1, $2, $3)"), syncs)
	p.say(describe("s"), describe("i"), syncs)
	p.say(describe("i"), describe("s"), bind("", "i", "1", "t", "1.5"), describePortal(""), execute("", 0), describe("s"), syncs)
	p.say(bind("", "s", "1", "t"), describe("i"), describePortal(""), execute("", 0), syncs)
	p.say(bind("", "s", "1", "t"), bind("", "i", "2", "u", "2"), execute("", 0), describe("s"), bind("", "s", "1", "u"), execute("", 0), syncs)
	p.say(parse("x", "select 1"), describe("s"), bind("", "x"), execute("", 0), syncs)
}

// timeouts: a statement time-out counts from the first message of a batch; a
// lock is waited for where the text is looked at.
func timeouts(p *peer) {
	p.sql("create table locked (i int)")
	p.say(parse("early", "select * from locked"), describe("early"), syncs)
	for _, set := range []string{"set local lock_timeout = '20ms'", "set local statement_timeout = '30ms'"} {
		p.owner("begin; lock table locked")
		p.sql("begin", set)
		p.say(parse("late", "select * from locked"), describe("late"), syncs)
		p.sql("rollback")
		p.owner("rollback")
		p.say(describe("late"), syncs)
	}
	p.say(parse("late", "select 1"), describe("late"), syncs)
	p.sql("begin", "set local statement_timeout = '20ms'")
	p.send(parse("between", "select 1"), flush)
	p.hearTo('1', 1)
	p.owner("select pg_sleep(0.04)")
	p.say(describe("between"), syncs)
	p.say(using("between")...)
	p.say(parse("slow", "select pg_sleep(10)"), syncs)
	p.say(slices.Concat(using("slow"), using("late"))...)
	p.sql("rollback")
	p.say(using("early")...)
}

func timeoutInBind(p *peer) {
	p.sql("create table held (i int)")
	p.say(parse("s", "select * from held"), describe("s"), syncs)
	p.owner("begin; lock table held")
	p.sql("begin", "set local lock_timeout = '20ms'")
	p.say(using("s")...)
	p.sql("rollback")
	p.owner("rollback")
	p.say(using("s")...)
}
