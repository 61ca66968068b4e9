package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

var copyChecks = []check{
	{name: "COPY of 20,000 rows in and out", run: copyRows},
	{name: "COPY that fails", run: copyErrors},
	{name: "CopyFail", run: copyFails},
	{name: "COPY through the extended protocol, Sync late", run: func(p *peer) { extendedCopy(p, false) }},
	{name: "COPY through the extended protocol, Sync early", run: func(p *peer) { extendedCopy(p, true) }},
	{name: "COPY in a pipeline", run: copyInPipeline},
	{name: "COPY in a transaction", run: copyInTransaction},
	{name: "COPY of several in one Query", run: severalCopies},
	{name: "value of 16 MB", run: bigValue},
	{name: "a message that is none for a COPY", run: strayInCopy, limits: []limit{{where: inTransaction,
		words: "a message that does not belong into COPY FROM STDIN fails the COPY; a server ends the connection",
		shows: "COPY was given up"}}},
}

func copyRows(p *peer) {
	p.sql("create table rows (i int, t text)")
	list := []pgproto3.FrontendMessage{query("copy rows from stdin")}
	for i := range 20000 {
		list = append(list, copyData(fmt.Sprintf("%d\trow %d\n", i, i)))
	}
	p.say(append(list, copyDone)...)
	p.sql("copy rows to stdout", "select count(*), sum(i) from rows")
	p.say(parse("out", "copy (select * from rows where i % $1 = 0) to stdout"), syncs)
	p.say(parse("out", "copy (select * from rows where i % 100 = 0) to stdout (format binary)"), describe("out"), syncs)
	p.say(using("out")...)
	p.say(slices.Concat(using("out"), using("out"))...)
}

func copyErrors(p *peer) {
	p.sql("create table ce (i int)")
	p.say(query("copy ce from stdin"), copyData("1\n"), copyData("x\n"), copyData("2\n"), copyDone)
	p.say(query("copy nowhere from stdin"))
	p.sql("select count(*) from ce")
	p.say(query("copy ce from stdin"), copyData("1\n2"), copyData("3\n"), copyDone)
	p.say(query("select * from ce"), query("copy ce from stdin (format binary)"), copyData("garbage"), copyDone)
	p.say(parse("c", "copy ce from stdin"), bind("", "c"), execute("", 0), copyData("1\nx\n"), copyDone, syncs)
	p.say(using("c")[0], execute("", 0), copyData("5\n"), copyDone, syncs)
	p.sql("select sum(i) from ce")
}

func copyFails(p *peer) {
	p.sql("create table cf (i int)")
	p.say(query("copy cf from stdin"), copyData("1\n"), copyFail)
	p.say(parse("c", "copy cf from stdin"), bind("", "c"), execute("", 0), copyData("1\n"), copyFail, syncs)
	p.sayFor(1, bind("", "c"), execute("", 0), syncs, copyFail, syncs)
	p.say(bind("", "c"), execute("", 0), copyDone, syncs)
	p.say(copyData("late"), copyDone, copyFail, query("select count(*) from cf")) // ignored
}

// extendedCopy: a server ignores a Sync that it finds among CopyData.
func extendedCopy(p *peer, early bool) {
	p.sql("create table ec" + fmt.Sprint(early) + " (i int)")
	p.say(parse("c", "copy ec"+fmt.Sprint(early)+" from stdin"), describe("c"), syncs)
	for i := range 3 {
		list := []pgproto3.FrontendMessage{bind("", "c"), execute("", 0)}
		if early {
			list = append(list, syncs)
		}
		switch i {
		case 0: // all at once
			p.sayFor(1, append(list, copyData("1\n"), copyDone, syncs)...)
		case 1: // after CopyInResponse
			p.send(append(list, flush)...)
			p.hearTo('G', 1)
			p.sayFor(1, copyData("2\n"), flush, copyData("3\n"), copyDone, syncs)
		case 2: // a row that is refused
			p.send(append(list, flush)...)
			p.hearTo('G', 1)
			p.sayFor(1, copyData("no\n"), copyDone, syncs)
		}
		p.sql("select count(*) from ec" + fmt.Sprint(early))
	}
}

func copyInPipeline(p *peer) {
	p.sql("create table cp (i int primary key)")
	p.say(parse("c", "copy cp from stdin"), parse("n", "select count(*) from cp"), syncs)
	p.say(slices.Concat(using("n"), []pgproto3.FrontendMessage{bind("", "c"), execute("", 0), copyData("1\n2\n"), copyDone,
		bind("", "n"), execute("", 0), syncs}, using("n"))...)
	p.say(slices.Concat([]pgproto3.FrontendMessage{bind("", "c"), execute("", 0), copyData("1\n"), copyDone,
		bind("", "n"), execute("", 0), syncs}, using("n"))...)
}

func copyInTransaction(p *peer) {
	p.sql("create table ct (i int)")
	p.say(parse("c", "copy ct from stdin"), parse("out", "copy ct to stdout"), syncs)
	p.sql("begin")
	p.say(bind("", "c"), execute("", 0), copyData("1\n"), copyDone, syncs)
	p.say(bind("", "c"), execute("", 0), copyFail, syncs)
	p.say(using("out")...)
	p.sql("rollback", "begin")
	p.say(bind("", "c"), execute("", 0), copyData("1\n"), copyDone, bind("", "out"), execute("", 0), syncs)
	p.sql("commit", "copy ct to stdout")
}

func severalCopies(p *peer) {
	p.sql("create table sc (i int)")
	p.say(query("copy sc from stdin; select 1; copy sc from stdin; copy sc to stdout"), copyData("1\n"), copyDone, copyData("2\n"), copyDone)
	p.say(query("copy sc from stdin; copy sc from stdin"), copyFail, query("select count(*) from sc"))
}

func bigValue(p *peer) {
	big := strings.Repeat("0123456789abcdef", 1<<20)
	p.say(parse("big", "select $1::text, length($1)"), describe("big"), syncs)
	p.say(using("big", big)...)
	p.say(using("big", "small")...)
	big = big[:1<<20]
	p.sql("select length('" + big + "')")
	p.say(parse("text", "select length('"+big+"')"), describe("text"), bind("", "text"), execute("", 0), syncs)
	p.say(using("text")...)
}

func strayInCopy(p *peer) {
	p.sql("create table stray (i int)")
	p.send(query("copy stray from stdin"))
	p.hearTo('G', 1)
	p.send(query("select 1"), copyDone)
	p.hearTo('E', 1)
	p.mayBeClosed = true
}
