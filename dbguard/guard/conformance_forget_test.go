package guard

import "slices"

var forgetChecks = []check{
	{name: "DEALLOCATE name", run: deallocateName},
	{name: "DEALLOCATE ALL", run: deallocateAll},
	{name: "DISCARD ALL", run: discardAll},
	{name: "DEALLOCATE by prepared statements", run: preparedDeallocate},
	{name: "DISCARD ALL by prepared statements", run: preparedDiscard},
	{name: "DEALLOCATE in transactions", run: deallocateInTransaction},
	{name: "DISCARD ALL among several statements", run: discardAmongSeveral},
	{name: "DISCARD ALL after other statements in one Query", run: discardAfterBegin, limits: []limit{{where: inTransaction,
		words: "a Query with DISCARD ALL among other statements fails as on a server (25001), before any of them has run",
		shows: "there is no transaction in progress"}}},
	{name: "DEALLOCATE among several statements", run: deallocateAmongSeveral, limits: []limit{{where: inTransaction,
		words: "DEALLOCATE of a statement that the driver prepared, and DEALLOCATE ALL, must be sent alone; among other statements of one Query they are refused with 0A000",
		shows: "C0A000"}}},
	{name: "DISCARD ALL resets settings", run: discardSettings, limits: []limit{{where: []string{toTransaction},
		words: "DISCARD ALL and DEALLOCATE ALL forget what the driver has prepared and touch nothing else: neither settings nor what SQL PREPARE has made",
		shows: `"\x00\x01\x00\x00\x00\x013"`}}},
	{name: "DEALLOCATE ALL of SQL PREPARE", run: deallocateOwn, limits: []limit{{where: inTransaction,
		words: "DEALLOCATE ALL leaves what SQL PREPARE has made; DEALLOCATE name drops it",
		shows: "C42P05"}}},
}

func deallocateName(p *peer) {
	p.say(parse("a", "select 1"), parse("B", "select 2"), syncs)
	p.sql("deallocate A")
	p.say(using("a")...)
	p.sql("deallocate a", "deallocate b", `deallocate prepare "B"`, "DEALLOCATE /* c */ none;")
	p.say(using("B")...)
	p.say(parse("a", "select 3"), syncs, query("deallocate a"), bind("", "a"), syncs, parse("a", "select 4"), syncs)
	p.say(using("a")...)
}

func deallocateAll(p *peer) {
	p.say(parse("a", "select 1"), parse("b", "select 2"), parse("", "select 3"), syncs)
	p.sql("deallocate all")
	p.say(using("a")...)
	p.say(using("b")...)
	p.say(using("")...)
	p.sql("deallocate prepare all;", "DEALLOCATE ALL")
	p.say(parse("a", "select 4"), bind("", "a"), execute("", 0), syncs)
	p.say(using("a")...)
}

func discardAll(p *peer) {
	p.say(parse("a", "select 1"), syncs)
	p.sql("discard all")
	p.say(using("a")...)
	p.say(parse("a", "select 2"), syncs)
	p.sql("begin", "discard all", "select 1", "rollback")
	p.say(using("a")...)
	p.sql("DISCARD /* x */ ALL ;", "discard plans", "discard sequences", "discard temp")
	p.say(using("a")...)
	p.say(parse("a", "select 3"), bind("", "a"), execute("", 0), syncs)
}

func preparedDeallocate(p *peer) {
	p.say(parse("a", "select 1"), parse("b", "select 2"), parse("da", "deallocate a"), parse("all", "deallocate all"), syncs)
	p.say(describe("da"), describe("all"), syncs)
	p.say(using("da")...)
	p.say(using("a")...)
	p.say(using("b")...)
	p.say(using("da")...)
	p.say(parse("a", "select 3"), syncs)
	p.say(bind("", "da"), describePortal(""), execute("", 0), bind("", "a"), execute("", 0), syncs)
	p.say(using("a")...)
	p.say(parse("a", "select 4"), syncs)
	p.say(slices.Concat(using("all"), using("a"), using("all"))...)
	p.say(parse("a", "select 5"), syncs)
	p.say(parse("", "deallocate all"), describe(""), bind("", ""), describePortal(""), execute("", 0), syncs)
	p.say(using("a")...)
}

func preparedDiscard(p *peer) {
	p.say(parse("a", "select 1"), parse("discard", "discard all"), syncs)
	p.say(describe("discard"), syncs)
	p.sql("begin")
	p.say(using("discard")...)
	p.say(using("a")...)
	p.sql("rollback")
	p.say(using("a")...)
	p.say(using("discard")...)
	p.say(using("a")...)
	p.say(using("discard")...)
	p.say(parse("a", "select 2"), parse("", "discard all"), bind("", ""), execute("", 0), syncs)
	p.say(using("a")...)
}

func deallocateInTransaction(p *peer) {
	p.say(parse("a", "select 1"), parse("b", "select 2"), parse("c", "select 3"), parse("dc", "deallocate c"), syncs)
	p.sql("begin", "deallocate a", "rollback") // not undone
	p.say(using("a")...)
	p.sql("begin", "select 1/0", "deallocate b")
	p.say(using("dc")...)
	p.sql("deallocate all", "discard all", "rollback")
	p.say(using("b")...)
	p.sql("begin")
	p.say(using("dc")...)
	p.sql("deallocate none", "rollback")
	p.say(using("c")...)
	p.sql("begin", "deallocate all", "commit")
	p.say(using("b")...)
}

func discardAmongSeveral(p *peer) {
	p.say(parse("a", "select 1"), syncs)
	p.sql("discard all; select 1")
	p.say(using("a")...)
}

func discardAfterBegin(p *peer) {
	p.say(parse("a", "select 1"), syncs)
	p.sql("begin; discard all", "rollback", "select 1; discard all")
	p.say(using("a")...)
}

func deallocateOwn(p *peer) {
	p.sql("begin", "prepare mine as select 1", "deallocate all", "prepare mine as select 2", "rollback", "begin", "deallocate mine", "rollback")
}

func deallocateAmongSeveral(p *peer) {
	p.say(parse("a", "select 1"), parse("b", "select 2"), syncs)
	p.sql("deallocate a; select 1")
	p.say(using("a")...)
	p.sql("select 1; deallocate all")
	p.say(using("b")...)
}

func discardSettings(p *peer) {
	p.sql("set geqo_effort = 3", "discard all", "show geqo_effort")
}

var ownSQLChecks = []check{
	{name: "PREPARE and EXECUTE of own names", run: ownPrepare, limits: []limit{{where: []string{toPooled},
		words: "SQL PREPARE lasts no longer than its transaction: EXECUTE in a later one finds no statement (26000)",
		shows: "C26000"}}},
	{name: "PREPARE and EXECUTE in one transaction", run: ownPrepareInside},
	{name: "EXECUTE of a protocol statement", run: executeProtocol, limits: []limit{{where: inTransaction,
		words: "SQL EXECUTE of a statement that the driver prepared is refused with 26000 and a hint",
		shows: "HIt was prepared by a protocol message"}}},
	{name: "pg_prepared_statements", run: preparedView, limits: []limit{{where: inTransaction,
		words: "pg_prepared_statements does not list what the driver prepared",
		shows: `D "\x00\x01\x00\x00\x00\x010"`}}},
	{name: "Bind of an SQL statement", run: bindOwn, limits: []limit{{where: inTransaction,
		words: "a statement of SQL PREPARE is not one for Bind and Describe: 26000",
		shows: "C26000"}}},
}

func ownPrepare(p *peer) {
	p.sql("prepare own as select 7", "execute own", "deallocate own")
}

func ownPrepareInside(p *peer) {
	p.sql("begin", "prepare inside (int) as select $1 + 1", "execute inside(1)", "explain (costs off) execute inside(1)",
		"create temp table made on commit drop as execute inside(5)", "select * from made", "prepare inside as select 2",
		"rollback", "begin", "prepare other as select 3", "deallocate other", "execute other", "rollback")
}

func executeProtocol(p *peer) {
	p.say(parse("proto", "select 1"), syncs)
	p.sql("execute proto", "begin", "execute proto", "rollback")
	p.say(using("proto")...)
}

func preparedView(p *peer) {
	p.say(parse("seen", "select 1"), syncs)
	p.sql("select count(*) from pg_prepared_statements where name = 'seen'")
}

func bindOwn(p *peer) {
	p.sql("begin", "prepare own as select 7")
	p.say(using("own")...)
	p.sql("rollback", "deallocate all")
}
