package session

import "testing"

// dropped is the end of a session whose server the pooler is to close.
var dropped = Finish{Drop: true}

var begins = wire("QBEGIN|", "QBEGIN|")

// TestFinishPooled: behind a pooler nothing that a client left in the middle is given back.
func TestFinishPooled(t *testing.T) {
	run := func(name string, f func(p *pair)) {
		t.Run(name, func(t *testing.T) { f(&pair{t, New(Options{Pooled: true}), epoch}) })
	}
	run("idle", func(p *pair) { p.finish(orderly) })
	run("running", func(p *pair) {
		p.client("Qselect pg_sleep(9)|")
		p.finish(Finish{Cancel: true, Send: begins})
		p.finish(Finish{})
		p.server(failure+"57014|", "ZI")
		p.finish(Finish{}) // what runs is ours
		p.server("CBEGIN|", "ZT", "CBEGIN|", "ZT")
		p.finish(dropped)
	})
	run("the cancel comes late", func(p *pair) {
		p.client("Qselect pg_sleep(9)|")
		p.finish(Finish{Cancel: true, Send: begins})
		p.server("CSELECT 1|", "ZI", failure+"57014|", "ZI")
		p.finish(Finish{})
		p.server("CBEGIN|", "ZT")
		p.finish(dropped)
	})
	run("in a transaction", func(p *pair) {
		p.client("Qbegin|")
		p.server("CBEGIN|", "ZT")
		p.finish(Finish{Send: wire("QROLLBACK AND CHAIN|"), RollsBack: true})
		p.finish(Finish{})
		p.server("CROLLBACK|", "ZT")
		p.finish(dropped)
	})
	run("in a transaction of a server that knows no AND CHAIN", func(p *pair) {
		p.client("Qbegin|")
		p.server("CBEGIN|", "ZT")
		p.finish(Finish{Send: wire("QROLLBACK AND CHAIN|"), RollsBack: true})
		p.server(failure+"42601|", "ZE")
		p.finish(dropped)
	})
	run("running in a transaction", func(p *pair) {
		p.client("Qbegin|")
		p.server("CBEGIN|", "ZT")
		p.client("Qselect pg_sleep(9)|")
		p.finish(Finish{Cancel: true, Send: begins})
		p.server(failure+"57014|", "ZE", failure+"25P02|", "ZE", failure+"25P02|", "ZE")
		p.finish(Finish{Send: wire("QROLLBACK AND CHAIN|"), RollsBack: true})
		p.server("CROLLBACK|", "ZT")
		p.finish(dropped)
	})
	run("without sync", func(p *pair) {
		p.client("P|select 1|\x00\x00", "B||", "H")
		p.server("1", "2")
		p.finish(dropped)
	})
	run("without sync and unanswered", func(p *pair) {
		p.client("P|select pg_sleep(9)|\x00\x00", "B||", "E|....")
		p.finish(Finish{Cancel: true, Send: wire("H")})
		p.finish(Finish{})
		p.server("1", "2", failure+"57014|")
		p.finish(dropped)
	})
	run("copy in", func(p *pair) {
		p.client("Qcopy t from stdin|")
		p.server("G")
		p.client("d1\n")
		p.finish(dropped)
	})
	run("the end of a copy in", func(p *pair) { // PgBouncer no longer counts what is outstanding
		p.client("Qcopy t from stdin|")
		p.server("G")
		p.client("d1\n", "c")
		p.finish(dropped)
	})
	run("terminated", func(p *pair) {
		p.client("Qselect 1|", "X")
		p.finish(Finish{Done: true})
	})
}
