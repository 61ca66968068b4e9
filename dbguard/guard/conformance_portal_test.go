package guard

import "github.com/jackc/pgx/v5/pgproto3"

var portalChecks = []check{
	{name: "portal with a row limit among other statements", run: rowLimit},
	{name: "named portals in a transaction", run: namedPortals},
	{name: "portals end with their transaction", run: portalsEnd},
	{name: "FETCH through prepared statements", run: preparedFetch},
	{name: "portal of a closed statement", run: portalOfClosed},
}

func rowLimit(p *peer) {
	p.say(parse("many", "select generate_series(1, 5)"), parse("one", "select 'one'"), syncs)
	p.sql("begin")
	p.say(bind("c", "many"), describePortal("c"), execute("c", 2), syncs)
	p.say(using("one")...)
	p.say(execute("c", 2), bind("", "one"), execute("", 0), execute("c", 2), syncs)
	p.sql("select 'simple'")
	p.say(execute("c", 2), syncs)
	p.sql("commit")
	p.say(bind("", "many"), execute("", 2), execute("", 2), syncs)
	p.say(bind("", "many"), execute("", 2), bind("", "one"), execute("", 0), syncs)
	p.say(bind("", "many"), execute("", 5), execute("", 1), syncs)
}

func namedPortals(p *peer) {
	p.say(parse("many", "select $1 || generate_series(1, 3)"), syncs)
	p.sql("begin")
	p.say(bind("a", "many", "a"), bind("b", "many", "b"), syncs)
	p.say(execute("a", 1), execute("b", 1), execute("a", 1), syncs)
	p.say(describePortal("b"), execute("b", 0), closePortal("b"), syncs)
	p.say(parse("many2", "select 1"), bind("b", "many2"), execute("b", 0), execute("a", 0), syncs)
	p.say(bind("a", "many", "again"), syncs) // exists
	p.sql("rollback")
	p.say(bind("x", "many", "x"), execute("x", 2), execute("x", 0), syncs)
	p.sql("begin")
	p.say(bind("v", "many", "v"), execute("v", 1), syncs)
	p.sql("fetch 1 from v", "close v")
	p.say(execute("v", 1), syncs)
	p.sql("rollback")
}

func portalsEnd(p *peer) {
	p.say(parse("many", "select generate_series(1, 3)"), syncs)
	p.say(bind("a", "many"), execute("a", 1), syncs)
	p.say(execute("a", 1), syncs)
	p.sql("begin")
	p.say(bind("a", "many"), bind("", "many"), execute("a", 1), execute("", 1), syncs)
	p.say(execute("", 1), syncs)
	p.sql("select 1") // ends the unnamed portal
	p.say(execute("a", 1), execute("", 1), syncs)
	p.say(execute("a", 1), syncs)
	p.sql("rollback")
	p.say(execute("a", 1), syncs)
}

func preparedFetch(p *peer) {
	p.say(parse("fetch", "fetch 2 from c"), syncs)
	p.say(parse("declare", "declare c cursor for select i, i * 2 as twice from generate_series(1, 5) i"), parse("fetch", "fetch 2 from c"), syncs)
	p.sql("begin")
	p.say(using("declare")...)
	p.say(parse("f", "fetch 2 from c"), describe("f"), syncs)
	for range 3 {
		p.say(bind("", "f"), describePortal(""), execute("", 0), syncs)
	}
	p.say(parse("close", "close c"), bind("", "close"), execute("", 0), syncs)
	p.say(using("f")...)
	p.sql("rollback", "begin", "declare c cursor for select 'another'")
	p.say(using("f")...) // of another shape
	p.sql("rollback", "begin", "declare h cursor for select generate_series(1, 4)")
	p.say(parse("move", "move 2 in h"), bind("", "move"), execute("", 0), syncs)
	p.sql("fetch all from h", "commit")
}

func portalOfClosed(p *peer) {
	p.say(parse("s", "select generate_series(1, 3)"), syncs)
	p.sql("begin")
	p.say(bind("c", "s"), execute("c", 1), closeStatement("s"), syncs)
	p.say(execute("c", 1), syncs)
	p.say(parse("s", "select 'new'"), bind("", "s"), execute("", 0), execute("c", 1), syncs)
	p.sql("deallocate s")
	p.say(execute("c", 1), &pgproto3.Close{ObjectType: 'P', Name: "c"}, syncs)
	p.sql("commit")
}
