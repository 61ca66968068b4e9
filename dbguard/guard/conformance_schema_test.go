package guard

import "slices"

var schemaChecks = []check{
	{name: "ALTER of a column's type: 0A000, then prepared again", run: alterType},
	{name: "ALTER of a column's type, in a transaction", run: alterInTransaction},
	{name: "ALTER of a column's type, in a pipeline", run: alterInPipeline},
	{name: "ALTER of a parameter's column", run: alterParameter},
	{name: "ADD and DROP COLUMN under select *", run: alterColumns},
	{name: "DROP and CREATE of an equal table", run: recreate},
	{name: "DROP of a table", run: dropTable},
	{name: "ALTER by the client itself", run: alterByItself},
	{name: "ALTER under INSERT ... RETURNING", run: alterReturning, limits: []limit{{where: inTransaction,
		words: "that a result has changed is found out once the batch has run: outside a transaction what the batch wrote stays although 0A000 is reported",
		shows: `D "\x00\x01\x00\x00\x00\x013"`}}},
	{name: "Describe of a statement that is no longer valid", run: describeInvalid, limits: []limit{{where: inTransaction,
		words: "the error of a Describe comes without a ParameterDescription before it",
		shows: "Z \"I\"\nE SERROR|VERROR|C42P01"}}},
}

func alterType(p *peer) {
	p.sql("create table at (i int); insert into at values (1)")
	p.say(parse("s", "select * from at"), describe("s"), syncs)
	p.say(using("s")...)
	p.owner("alter table at alter i type text")
	p.say(using("s")...)
	p.say(using("s")...)
	p.say(closeStatement("s"), parse("s", "select * from at"), describe("s"), syncs)
	p.say(using("s")...)
	p.say(using("s")...)
	p.owner("alter table at alter i type varchar(3)")
	p.say(bind("", "s"), describePortal(""), execute("", 0), syncs)
	p.sql("deallocate all")
	p.say(parse("s", "select * from at"), bind("", "s"), describePortal(""), execute("", 0), syncs)
	p.owner("alter table at rename i to j")
	p.say(using("s")...)
	p.owner("alter table at rename j to i")
	p.say(using("s")...) // as it was
}

func alterInTransaction(p *peer) {
	p.sql("create table ait (i int); insert into ait values (1)")
	p.say(parse("s", "select * from ait"), parse("rollback", "rollback"), describe("s"), syncs)
	p.owner("alter table ait alter i type bigint")
	p.sql("begin", "select 1")
	p.say(using("s")...)
	p.say(using("s")...)
	p.sql("select 1")
	p.say(using("rollback")...)
	p.sql("begin")
	p.say(slices.Concat(using("s"), using("rollback"))...)
	p.sql("select 1")
	p.say(parse("t", "select * from ait"), bind("", "t"), execute("", 0), syncs)
}

func alterInPipeline(p *peer) {
	p.sql("create table aip (i int); insert into aip values (1)")
	p.say(parse("s", "select * from aip"), parse("ins", "insert into aip values ($1)"), describe("s"), describe("ins"), syncs)
	p.owner("alter table aip alter i type text")
	p.say(slices.Concat(using("ins", "4"), using("s"), using("ins", "5"), using("s"))...)
	p.sql("select array_agg(i) from aip")
	p.sql("begin")
	p.say(slices.Concat(using("ins", "6"), using("s"), using("ins", "7"))...)
	p.sql("commit", "select array_agg(i) from aip")
	p.say(describe("s"), syncs)
	p.say(closeStatement("s"), parse("s", "select * from aip"), bind("", "s"), execute("", 0), syncs)
}

func alterParameter(p *peer) {
	p.sql("create table ap (k int, v text); insert into ap values (1, 'one')")
	p.say(parse("s", "select v from ap where k = $1"), describe("s"), syncs)
	p.say(parse("unasked", "select v from ap where k = $1"), parse("ins", "insert into ap values ($1, $2)"), syncs)
	for _, typ := range []string{"bigint", "text", "numeric using k::numeric"} {
		p.owner("alter table ap alter k type " + typ)
		p.say(bindBinary("s", []byte{0, 0, 0, 1}), execute("", 0), syncs)
		p.say(bindBinary("unasked", []byte{0, 0, 0, 1}), execute("", 0), syncs)
		p.say(using("ins", "2", "two")...)
	}
	p.sql("select * from ap")
}

func alterColumns(p *peer) {
	p.sql("create table ac (i int); insert into ac values (1)")
	p.say(parse("s", "select * from ac"), parse("i", "select i from ac"), describe("s"), syncs)
	p.owner("alter table ac add j int default 5")
	p.say(using("s")...)
	p.say(using("i")...)
	p.say(describe("s"), syncs)
	p.owner("alter table ac drop j")
	p.say(using("s")...)
	p.owner("alter table ac drop i")
	p.say(using("s")...)
	p.say(using("i")...)
}

func recreate(p *peer) {
	const create = "create table r (i int, t text); insert into r values (1, 'x')"
	p.sql(create)
	p.say(parse("s", "select * from r where i = $1"), describe("s"), syncs)
	p.say(using("s", "1")...)
	p.owner("drop table r; " + create)
	p.say(using("s", "1")...)
	p.sql("begin")
	p.say(using("s", "1")...)
	p.sql("commit")
}

func dropTable(p *peer) {
	p.sql("create table dt (i int)")
	p.say(parse("s", "select * from dt"), describe("s"), syncs)
	p.owner("drop table dt")
	p.say(using("s")...)
	p.sql("begin")
	p.say(using("s")...)
	p.sql("rollback")
	p.owner("create table dt (i int)")
	p.say(using("s")...)
	p.owner("drop table dt; create view dt as select 1 as i")
	p.say(using("s")...)
}

func alterByItself(p *peer) {
	p.sql("create table abi (i int); insert into abi values (1)")
	p.say(parse("s", "select * from abi"), parse("alter", "alter table abi alter i type text"), describe("s"), syncs)
	p.say(slices.Concat(using("s"), using("alter"), using("s"))...)
	p.say(parse("t", "select * from abi"), describe("t"), syncs)
	p.sql("begin", "alter table abi alter i type int using i::int")
	p.say(using("t")...)
	p.sql("rollback")
	p.say(using("t")...)
	p.say(parse("back", "alter table abi alter i type int using i::int"), syncs)
	p.say(bind("", "back"), execute("", 0), bind("", "t"), execute("", 0), syncs)
}

func alterReturning(p *peer) {
	p.sql("create table ar (i int); insert into ar values (1)")
	p.say(parse("ins", "insert into ar values (2) returning *"), describe("ins"), syncs)
	p.owner("alter table ar alter i type bigint")
	p.say(using("ins")...)
	p.say(parse("other", "insert into ar values (3)"), syncs)
	p.say(bind("", "ins"), execute("", 0), bind("", "other"), execute("", 0), syncs)
	p.sql("begin")
	p.say(using("ins")...)
	p.sql("commit", "select count(distinct i) from ar")
}

func describeInvalid(p *peer) {
	p.sql("create table di (i int)")
	p.say(parse("s", "select * from di"), describe("s"), syncs)
	p.owner("drop table di")
	p.say(describe("s"), syncs)
	p.owner("create table di (i int)")
	p.say(describe("s"), syncs)
}
