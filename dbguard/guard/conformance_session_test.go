package guard

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
)

var cancelChecks = []check{
	{name: "cancel of a running query", run: cancelRunning},
	{name: "cancel of an idle session", run: cancelIdle},
	{name: "cancel during BEGIN", run: cancelInBegin},
	{name: "cancel with a wrong key", run: cancelWrongKey},
	{name: "protocol 3.2", run: protocol32},
	{name: "a session that the server ends", run: endedByServer},
}

var settingChecks = []check{
	{name: "ParameterStatus", run: parameterStatus},
	{name: "SET of what the server does not report", run: setUnreported, limits: []limit{{where: []string{toPooled},
		words: "SET lasts no longer than its transaction, but for what the server reports and the pooler follows (TimeZone, DateStyle, client_encoding, standard_conforming_strings, application_name)",
		shows: `D "\x00\x01\x00\x00\x00\x0212"`}}},
	{name: "SET LOCAL", run: setLocal},
	{name: "LISTEN and NOTIFY", run: listenNotify, limits: []limit{{where: []string{toPooled},
		words: "LISTEN hears nothing, or what it hears is by chance: a pooler has no session that it could stay on", shows: "all heard: false"}}},
	{name: "LISTEN and NOTIFY in one transaction", run: listenInside},
	{name: "session advisory lock", run: advisoryLock, limits: []limit{{where: []string{toPooled},
		words: "session advisory locks stay with the pooler's server: use pg_advisory_xact_lock", shows: "you don't own a lock"}}},
	{name: "temporary table", run: tempTable, limits: []limit{{where: []string{toPooled},
		words: "temporary tables do not outlive their transaction: use ON COMMIT DROP", shows: "C42P01"}}},
	{name: "cursor WITH HOLD", run: holdCursor, limits: []limit{{where: []string{toPooled},
		words: "cursors WITH HOLD do not outlive their transaction", shows: "C34000"}}},
}

func cancelRunning(p *peer) {
	p.say(parse("sleep", "select pg_sleep(60)"), syncs)
	p.send(query("select pg_sleep(61)"))
	p.runs("pg_sleep(61)")
	p.cancel()
	p.hearTo('Z', 1)
	p.send(using("sleep")...)
	p.runs("pg_sleep(60)")
	p.cancel()
	p.hearTo('Z', 1)
	p.sql("begin")
	p.send(bind("", "sleep"), execute("", 0), syncs, query("select 'after'"))
	p.runs("pg_sleep(60)")
	p.cancel()
	p.hearTo('Z', 2)
	p.sql("rollback", "select 1")
}

func cancelIdle(p *peer) {
	p.sql("select 1")
	p.cancel()
	p.sql("select 2")
	p.cancel()
	p.cancel()
	p.say(parse("a", "select 3"), bind("", "a"), execute("", 0), syncs)
}

func cancelInBegin(p *peer) {
	p.sql("begin", "select 1")
	p.cancel()
	p.sql("select 2")
	p.cancel()
	p.sql("commit")
	p.send(query("begin; select pg_sleep(62)"))
	p.runs("pg_sleep(62)")
	p.cancel()
	p.hearTo('Z', 1)
	p.sql("select 3", "rollback", "select 4")
}

func cancelWrongKey(p *peer) {
	p.send(query("select pg_sleep(0.2), 'slept'"))
	p.runs("pg_sleep(0.2)")
	p.login.SecretKey[0] ^= 1
	p.cancel()
	p.hearTo('Z', 1)
}

// protocol32: a server of before version 18 offers 3.0 instead, devguard serves
// it, and whatever comes of that the client can use.
func protocol32(p *peer) {
	q := &peer{T: p.T, target: p.target, url: p.url, heard: p.heard, prefix: "3.2: "}
	q.connect("&max_protocol_version=3.2")
	q.say(parse("a", "select 1"), bind("", "a"), execute("", 0), syncs)
	q.send(query("select pg_sleep(63)"))
	q.runs("pg_sleep(63)")
	q.cancel()
	q.hearTo('Z', 1)
	q.end()
}

// endedByServer: the client hears the server's last words.
func endedByServer(p *peer) {
	p.sql("begin", "set local idle_in_transaction_session_timeout = '20ms'")
	p.hearTo('E', 1)
	p.mayBeClosed = true
}

func parameterStatus(p *peer) {
	for _, c := range [][2]string{{"timezone", "Asia/Tokyo"}, {"datestyle", "German"}, {"client_encoding", "LATIN1"},
		{"application_name", "me"}, {"standard_conforming_strings", "off"}, {"timezone", "UTC"}} {
		p.sql(fmt.Sprintf("set %s = '%s'", c[0], c[1]), "show "+c[0], "select timestamptz '2020-01-31 00:00Z'")
	}
	p.say(parse("tz", "set timezone = 'Asia/Kolkata'"), parse("show", "show timezone"), describe("show"), syncs)
	p.say(using("tz")...)
	p.say(using("show")...)
	p.sql("begin", "set timezone = 'America/Lima'", "rollback", "show timezone", "begin", "set local timezone = 'Africa/Cairo'", "commit")
	p.say(using("show")...)
}

func setUnreported(p *peer) { p.sql("set geqo_threshold = 7", "show geqo_threshold") }

func setLocal(p *peer) {
	p.sql("begin", "set local search_path = pg_catalog", "show search_path", "savepoint s", "set local search_path = nowhere",
		"rollback to s", "show search_path", "commit", "show search_path")
}

// listenNotify: what is sent between two queries has arrived with the second.
func listenNotify(p *peer) {
	p.sql("listen news")
	q := p.another("other: ")
	q.sql("notify news, 'first'", "begin", "notify news, 'second'", "notify none", "commit")
	q.end()
	p.sql("select 1")
	p.notifications()
	p.write("all heard: %t", len(p.told) == 2)
}

func listenInside(p *peer) {
	p.sql("begin", "listen inside", "notify inside, 'x'", "notify inside, 'y'", "commit")
	p.notifications()
}

func advisoryLock(p *peer) {
	p.sql("select pg_advisory_lock(4711)", "select pg_advisory_unlock(4711)", "begin", "select pg_advisory_xact_lock(4712)", "commit")
}

func tempTable(p *peer) {
	p.sql("create temp table tt (i int)", "select * from tt", "begin; create temp table td (i int) on commit drop",
		"insert into td values (1)", "commit")
	p.say([]pgproto3.FrontendMessage{parse("t", "select * from tt"), syncs}...)
}

func holdCursor(p *peer) {
	p.sql("begin", "declare h cursor with hold for select generate_series(1, 3)", "fetch h", "commit", "fetch h", "close h")
}
