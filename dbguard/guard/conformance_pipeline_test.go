package guard

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

var pipelineChecks = []check{
	{name: "batch with an error in the middle", run: batchWithError},
	{name: "pipeline with an error in the middle", run: pipelineWithError},
	{name: "pipeline of 100 queries with 51 Syncs", run: longPipeline},
	{name: "Queries and batches sent ahead of a slow one", run: sentAhead},
	{name: "bad SQL, then reuse", run: badSQL},
	{name: "Flush without Sync", run: flushes},
	{name: "empty query", run: emptyQuery},
	{name: "NOTICE", run: notices},
	{name: "binary and text", run: formats},
	{name: "FunctionCall", run: functionCalls},
	{name: "several statements in one Query", run: severalStatements},
	{name: "error inside a Parse of a pipeline", run: parseErrorInPipeline},
	{name: "parameters of every sort", run: parameters},
	{name: "Bind with too few parameters", run: tooFewParameters, limits: []limit{{where: inTransaction,
		words: "an error of the server that quotes the name of a prepared statement quotes an empty one",
		shows: `but prepared statement "" requires`}}},
}

func batchWithError(p *peer) {
	p.sql("create table b (id int primary key)")
	p.say(parse("ins", "insert into b values ($1) returning id"), describe("ins"), syncs)
	p.say(bind("", "ins", "1"), execute("", 0), bind("", "ins", "1"), execute("", 0), bind("", "ins", "2"), execute("", 0), syncs)
	p.sql("select count(*) from b")
	p.say(bind("", "ins", "3"), execute("", 0), parse("x", "select 1/0"), bind("", "x"), execute("", 0), bind("", "ins", "4"), execute("", 0), syncs)
	p.say(using("ins", "5")...)
	p.say(using("x")...)
	p.sql("select count(*) from b")
}

func pipelineWithError(p *peer) {
	p.sql("create table p (id int primary key)")
	p.say(slices.Concat([]pgproto3.FrontendMessage{parse("ins", "insert into p values ($1)"), syncs},
		using("ins", "1"), using("ins", "1"), using("ins", "x"), using("ins", "2"),
		[]pgproto3.FrontendMessage{query("select count(*) from p")}, using("none"), using("ins", "3"))...)
	p.sql("select count(*) from p")
}

func longPipeline(p *peer) {
	var list []pgproto3.FrontendMessage
	for i := range 100 {
		name := fmt.Sprintf("s%d", i%7)
		if i < 7 {
			list = append(list, parse(name, fmt.Sprintf("select $1::int + %d as c%d", i, i), 23), describe(name))
		}
		list = append(list, bind("", name, fmt.Sprint(i)), describePortal(""), execute("", 0))
		if i%2 == 1 {
			list = append(list, syncs)
		}
	}
	p.say(append(list, syncs)...)
}

// sentAhead: every reply finds its way, however late it comes.
func sentAhead(p *peer) {
	const slow = "select pg_sleep(0.03), 'slow'"
	p.say(parse("s", slow), parse("a", "select $1::text"), syncs)
	p.say(query(slow), query("select 2"), syncs, query("select 3"))
	p.say(slices.Concat(using("s"), using("a", "1"), []pgproto3.FrontendMessage{query("select 2"), syncs}, using("a", "3"))...)
	p.say(slices.Concat([]pgproto3.FrontendMessage{query(slow)}, using("a", "1"), using("none"), using("a", "2"))...)
	p.say(slices.Concat([]pgproto3.FrontendMessage{query("begin"), query(slow)}, using("a", "1"), []pgproto3.FrontendMessage{query("commit")}, using("a", "2"))...)
	p.send(append(using("s"), parse("late", "select 'late'"), bind("", "a", "x"))...)
	p.hearTo('Z', 1)
	p.say(execute("", 0), syncs)
	p.say(using("late")...)
}

func badSQL(p *peer) {
	p.sql("selec 1", "select 1", "select nothing", "select 2")
	p.say(parse("a", "selec 1"), syncs)
	p.say(describe("a"), syncs)
	p.say(parse("a", "select 1"), describe("a"), syncs)
	p.say(using("a")...)
	p.say(parse("", "select * from nowhere"), describe(""), syncs)
	p.say(using("")...)
	p.say(parse("", "select 3"), bind("", ""), execute("", 0), syncs)
}

// flushes: the replies come before any Sync.
func flushes(p *peer) {
	p.send(parse("f", "select $1::int"), flush)
	p.hearTo('1', 1)
	p.send(describe("f"), flush)
	p.hearTo('T', 1)
	p.send(bind("", "f", "1"), execute("", 0), flush)
	p.hearTo('C', 1)
	p.send(bind("", "f", "2"), flush, execute("", 0), flush)
	p.hearTo('C', 1)
	p.say(syncs)
	p.send(bind("", "f", "x"), flush)
	p.hearTo('E', 1)
	p.say(bind("", "f", "3"), execute("", 0), flush, syncs)
	p.say(using("f", "4")...)
}

func emptyQuery(p *peer) {
	p.sql("", ";", "/* nothing */", "select 1;;select 2")
	p.say(parse("e", ""), describe("e"), bind("", "e"), describePortal(""), execute("", 0), syncs)
	p.say(using("e")...)
	p.say(parse("", "-- no"), bind("", ""), execute("", 0), syncs)
	p.say(syncs, syncs)
}

func notices(p *peer) {
	p.sql("do $$begin raise notice 'hello %', 1; end$$", "do $$begin raise warning 'w' using hint = 'h', errcode = '01234'; end$$",
		"drop table if exists nothing", "commit", "begin", "begin", "rollback", "rollback")
	p.say(parse("n", "do $$begin raise notice 'prepared'; end$$"), describe("n"), bind("", "n"), execute("", 0), syncs)
	p.say(using("n")...)
	p.say(slices.Concat(using("n"), using("n"))...)
}

func formats(p *peer) {
	p.sql("select 1, 'x'::text, null::int, true, 1.5::numeric, '{1,2}'::int[], '\\x00ff'::bytea")
	p.say(parse("f", "select $1::int8, $2::bytea, $3::bool, $4::text, now() > 'epoch'"), describe("f"), syncs)
	args := [][]byte{{0, 0, 0, 0, 0, 0, 1, 2}, {0, 255, 0}, {1}, nil}
	p.say(bindBinary("f", args...), describePortal(""), execute("", 0), syncs)
	p.say(bind("", "f", "77", `\x00ff00`, "f", "text"), describePortal(""), execute("", 0), syncs)
	mixed := &pgproto3.Bind{PreparedStatement: "f", Parameters: [][]byte{[]byte("5"), {1, 2}, []byte("t"), {}},
		ParameterFormatCodes: []int16{0, 1, 0, 1}, ResultFormatCodes: []int16{1, 0, 1, 0, 1}}
	p.say(mixed, describePortal(""), execute("", 0), syncs)
	p.say(bindBinary("f", []byte{1, 2}, nil, nil, nil), execute("", 0), syncs) // too short for an int8
}

func tooFewParameters(p *peer) {
	p.say(parse("f", "select $1::int + $2"), syncs)
	p.say(using("f", "1")...)
	p.say(using("f", "1", "2")...)
}

func functionCalls(p *peer) {
	call := func(function uint32, a, b byte) *pgproto3.FunctionCall {
		return &pgproto3.FunctionCall{Function: function, ArgFormatCodes: []uint16{1},
			Arguments: [][]byte{{0, 0, 0, a}, {0, 0, 0, b}}, ResultFormatCode: 1}
	}
	const int4pl, int4div = 177, 154
	p.say(call(int4pl, 2, 3))
	p.say(call(int4div, 2, 0))
	p.say(parse("a", "select 1"), syncs, call(int4pl, 4, 5), bind("", "a"), execute("", 0), syncs, call(int4div, 8, 2))
	p.sql("begin")
	p.say(call(int4div, 1, 0))
	p.say(call(int4pl, 1, 1))
	p.sql("rollback")
}

func severalStatements(p *peer) {
	p.sql("create table m (i int); insert into m values (1), (2); select * from m; drop table m",
		"select 1; select 1/0; select 2", "begin; select 1; commit; select 2", "begin; select 1", "select 2; rollback; select 3",
		"select 1; begin; select nothing", "rollback", "select 1; commit; select 2", "select ';'; select $$;$$, 'deallocate all'")
	p.say(parse("m", "select 1; select 2"), syncs)
}

func parseErrorInPipeline(p *peer) {
	p.say(slices.Concat([]pgproto3.FrontendMessage{parse("a", "select 1"), syncs, parse("b", "selec"), syncs, parse("c", "select 3"), syncs},
		using("a"), using("b"), using("c"))...)
	p.say(parse("d", "select 4"), parse("e", "selec"), parse("f", "select 6"), syncs)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		p.say(describe(name), syncs)
	}
	p.say(parse("b", "select 'again'"), parse("e", "select 'again'"), parse("f", "select 'again'"), syncs)
	for _, name := range []string{"b", "e", "f"} {
		p.say(using(name)...)
	}
}

func parameters(p *peer) {
	p.sql("create type mood as enum ('sad', 'ok')", "create table feelings (m mood, at timestamptz, j jsonb)")
	p.say(parse("p", "insert into feelings values ($1, $2, $3)"), syncs)
	p.say(using("p", "ok", "2020-01-01", `{"a": 1}`)...)
	p.say(using("p", "happy", "2020-01-01", `{}`)...)
	p.say(parse("o", "select $1, $2 + 1", 0, 20), describe("o"), syncs)
	p.say(using("o", "x", "41")...)
	p.say(parse("u", "select $1 is null"), describe("u"), syncs) // text
	p.say(parse("i", "select $2::int"), describe("i"), syncs)    // $1 has no type
	p.say(parse("w", "select $1::int", 25), describe("w"), syncs)
	p.say(using("w", "7")...)
	p.say(parse("none", "select $1::int", 999999), syncs)
}
