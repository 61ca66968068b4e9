package session

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// orderly is the end of a session that has nothing to undo.
var orderly = Finish{Send: terminate, Done: true}

// finishes runs one case of Finish.
func finishes(t *testing.T) func(name string, f func(p *pair)) {
	return func(name string, f func(p *pair)) {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			f(p)
			if out, n := p.s.Client(wire("S"), p.now); n != 0 && p.s.ending.phase != terminated {
				t.Fatalf("a session that ends took %q", out)
			}
		})
	}
}

func TestFinish(t *testing.T) {
	run, end := finishes(t), orderly
	run("idle", func(p *pair) { p.finish(end) })
	run("running", func(p *pair) {
		p.client("Qselect pg_sleep(9)|")
		p.finish(Finish{Cancel: true})
		p.finish(Finish{})
		p.server(failure + "57014|")
		p.finish(Finish{})
		p.server("ZI")
		p.finish(end)
	})
	run("in a transaction", func(p *pair) {
		p.client("Qbegin|", "Qselect pg_sleep(9)|")
		p.finish(Finish{Cancel: true})
		p.server("CBEGIN|", "ZT")
		p.finish(Finish{Cancel: true}) // the first one hit BEGIN, or nothing
		p.server(failure+"57014|", "ZE")
		p.finish(Finish{Send: wire("QROLLBACK|"), RollsBack: true})
		p.finish(Finish{})
		p.server("CROLLBACK|", "ZI")
		p.finish(end)
	})
	run("rollback fails", func(p *pair) {
		p.client("Qbegin|")
		p.server("CBEGIN|", "ZT")
		p.finish(Finish{Send: wire("QROLLBACK|"), RollsBack: true})
		p.server(failure+"XX000|", "ZE")
		p.finish(Finish{Broken: true})
	})
	run("without sync", func(p *pair) {
		p.client("P|select 1|\x00\x00", "B||", "H")
		p.server("1", "2")
		p.finish(Finish{Send: undoAndSync})
		p.server(failure+"34000|", "ZI")
		p.finish(end)
	})
	run("without sync and unanswered", func(p *pair) {
		p.client("P|copy t from stdin|\x00\x00", "B||", "E|....")
		p.finish(Finish{Cancel: true, Send: wire("H")})
		p.finish(Finish{})
		p.server("1", "2", "G")
		p.finish(Finish{Send: append(bytes.Clone(copyFail), undoAndSync...)})
		p.server(failure+"57014|", "ZI")
		p.finish(end)
	})
}

func TestFinishCopy(t *testing.T) {
	run, end := finishes(t), orderly
	run("copy in", func(p *pair) {
		p.client("Qcopy t from stdin|")
		p.server("G")
		p.client("d1\n")
		p.finish(Finish{Cancel: true, Send: copyFail})
		p.server(failure+"57014|", "ZI")
		p.finish(end)
	})
	run("extended copy in with an early sync", func(p *pair) {
		p.client("P|copy t from stdin|\x00\x00", "B||", "E|....", "S")
		p.finish(Finish{Cancel: true})
		p.server("1", "2", "G")
		p.finish(Finish{Send: append(bytes.Clone(copyFail), undoAndSync...)})
		p.server(failure+"57014|", "ZI")
		p.finish(end)
	})
	run("replication", func(p *pair) {
		p.client("QSTART_REPLICATION 0/0|")
		p.server("W", "dk")
		p.finish(end)
	})
}

func TestFinishAfterTheClientsOwn(t *testing.T) {
	run := finishes(t)
	run("terminated", func(p *pair) {
		p.client("Qselect 1|", "X")
		p.finish(Finish{Done: true})
	})
	run("cut", func(p *pair) {
		p.s.Client(wire("Qselect 1|")[:8], p.now)
		p.finish(Finish{Broken: true})
	})
	run("cut in a header while busy", func(p *pair) {
		p.s.Client(append(wire("Qselect 1|"), 'Q', 0), p.now)
		p.finish(Finish{Cancel: true, Broken: true})
	})
}

// model is a server as far as the protocol goes: the loop of postgres.c.
type model struct {
	in, out []byte
	status  byte
	skip    bool              // to the next Sync
	copying byte              // E or Q: what copies in
	asleep  byte              // E or Q: what runs until it is cancelled
	open    bool              // extended messages since the last Sync
	sql     map[string]string // of statements and portals
	gone    bool
	clean   bool // gone by Terminate
	misled  bool // gone because of what Finish sent

	pooler pooler
}

// pooler is how PgBouncer stands to the server of a client that is gone.
type pooler struct {
	dirty  bool // the client is gone, and has left something unfinished there
	copied bool // a COPY from the client has begun since the last ReadyForQuery
	given  bool // a dirty server was given to the next client
}

// ready says ReadyForQuery. The pooler gives a server away then that is in no transaction and that
// nothing more was sent to; after a COPY from the client, PgBouncer up to 1.19 also else.
func (m *model) ready() {
	m.say("Z" + string(m.status))
	if m.pooler.dirty && m.status == 'I' && (len(m.in) == 0 || m.pooler.copied) {
		m.pooler.given = true
	}
	m.pooler.copied = false
}

// between reports whether the pooler takes its client to be between two transactions.
func (m *model) between() bool {
	return m.status == 'I' && !m.open && !m.skip && m.copying == 0 && m.asleep == 0 && len(m.in) == 0
}

func newModel() *model { return &model{status: 'I', sql: map[string]string{}} }

func (m *model) say(messages ...string) { m.out = append(m.out, wire(messages...)...) }

func (m *model) run() {
	for !m.gone && m.asleep == 0 && len(m.in) >= headLen {
		n := 1 + int(binary.BigEndian.Uint32(m.in[1:]))
		if len(m.in) < n {
			return
		}
		typ, body := m.in[0], strings.Split(string(m.in[headLen:n]), "\x00")
		m.in = m.in[n:]
		m.message(typ, body)
	}
}

func (m *model) message(typ byte, body []string) {
	switch {
	case m.copying != 0:
		m.copied(typ, body[0])
	case typ == 'X':
		m.gone, m.clean = true, true
	case typ == 'S':
		m.skip, m.open = false, false
		m.ready()
	case m.skip || strings.IndexByte("Hdcf", typ) >= 0:
	case typ == 'Q':
		m.open = false
		m.execute('Q', body[0])
	case typ == 'F':
		m.open = false
		m.say("V")
		m.ready()
	default:
		m.open = true
		m.extended(typ, body)
	}
}

func (m *model) extended(typ byte, body []string) {
	switch {
	case typ == 'E':
		m.execute('E', m.sql["portal"+body[0]])
	case typ == 'P' && body[1] == "bad", m.status == 'E':
		m.fail('E', "42601")
	case typ == 'P':
		m.sql[body[0]] = body[1]
		m.say("1")
	case typ == 'B' && m.sql[body[1]] == "":
		m.fail('E', "26000")
	case typ == 'B':
		m.sql["portal"+body[0]] = m.sql[body[1]]
		m.say("2")
	case typ == 'D':
		m.say("n")
	case typ == 'C':
		m.say("3")
	}
}

func (m *model) execute(how byte, sql string) {
	switch {
	case sql == "rollback" || sql == "ROLLBACK":
		m.status = 'I'
	case sql == "ROLLBACK AND CHAIN":
		m.status = 'T'
	case m.status == 'E':
		m.fail(how, "25P02")
		return
	case sql == "begin" || sql == "BEGIN":
		m.status = 'T'
	case sql == "copy":
		m.say("G")
		m.copying, m.pooler.copied = how, true
		return
	case sql == "sleep":
		m.asleep = how
		return
	case sql == "bad" || sql == "":
		m.fail(how, "42601")
		return
	}
	m.done(how)
}

func (m *model) done(how byte) {
	m.say("COK|")
	if how == 'Q' {
		m.ready()
	}
}

func (m *model) fail(how byte, state string) {
	m.copying, m.asleep = 0, 0
	if m.status == 'T' {
		m.status = 'E'
	}
	m.say(failure + state + "|")
	if how == 'Q' {
		m.ready()
	} else {
		m.skip = true
	}
}

func (m *model) copied(typ byte, body string) {
	how := m.copying
	switch {
	case typ == 'H' || typ == 'S' || typ == 'd' && body != "bad":
	case typ == 'c':
		m.copying = 0
		m.done(how)
	case typ == 'd' || typ == 'f':
		m.fail(how, "22P02")
	default: // protocol synchronization was lost
		m.say("ESFATAL|C08P01|")
		m.gone = true
		m.misled = body == goneReason || body == "ROLLBACK" || typ == 'X'
	}
}

func (m *model) cancel() {
	if m.asleep != 0 {
		m.pooler.dirty = true
		m.fail(m.asleep, "57014")
	}
}

// deliver lets the server work and shows the session what it said, in pieces.
func (m *model) deliver(s *Session) (said bool) {
	m.run()
	said = len(m.out) > 0
	feed(m.out, 7, func(b []byte) { s.Server(b, epoch) })
	m.out = nil
	return said
}

// clientMessages are what the fuzzed client may say.
var clientMessages = []string{
	"Qbegin|", "Qrollback|", "Qselect|", "Qbad|", "Qcopy|", "Qsleep|", "S", "H", "P|select|", "P|begin|", "P|copy|", "P|sleep|", "P|bad|", "Pa|select|",
	"B||", "B|a|", "DS|", "DP|", "E|", "CSa|", "CP|", "dx\n", "dbad", "c", "fno|", "F", "Ba|a|", "Ea|", "B|gone|",
}

// FuzzFinish: a client says anything and goes, at any byte; with a server that answers, the session
// knows what goes on there, and Finish ends it: Done with nothing open, or Broken because a message
// was cut. Behind a pooler (the highest bit of cut) no server is given to the next
// client that this one has left in the middle of something.
func FuzzFinish(f *testing.F) {
	f.Add([]byte{0, 5}, byte(0))
	f.Add([]byte{10, 14, 18, 6, 255, 21, 22, 23, 6}, byte(0))
	f.Add([]byte{10, 14, 18, 6, 21, 23, 6, 255, 8, 14, 7}, byte(0))
	f.Add([]byte{9, 14, 18, 6, 12, 2, 6, 11, 14, 18, 6, 11, 14, 18, 7}, byte(0))
	f.Add([]byte{4, 255, 21, 6, 255}, byte(3))
	f.Add([]byte{0, 255, 5}, byte(128))
	f.Add([]byte{11, 14, 18, 6}, byte(128))
	f.Add([]byte{11, 14, 18}, byte(128))
	f.Add([]byte{4, 255, 21, 23}, byte(128))
	f.Fuzz(func(t *testing.T, script []byte, cut byte) {
		s, m := New(Options{Pooled: cut >= 128}), newModel()
		cut %= 128
		inData := false
		for i, pick := range script {
			if int(pick) >= len(clientMessages) {
				m.deliver(s)
				checkModel(t, s, m)
				continue
			}
			in := wire(clientMessages[pick])
			if inData = in[0] == 'd' || inData && in[0] != 'c' && in[0] != 'f'; inData && in[0] == 'S' {
				continue // see pass
			}
			if i == len(script)-1 {
				in = in[:len(in)-min(len(in), int(cut))]
			}
			out, n := s.Client(in, epoch)
			if n != len(in) {
				return // the pipeline is full
			}
			m.in = append(m.in, out...)
		}
		finishModel(t, s, m)
	})
}

// checkModel compares, when all bytes have arrived, what the session believes with what is.
func checkModel(t *testing.T, s *Session, m *model) {
	t.Helper()
	if m.gone || s.up.partial() {
		return
	}
	p := s.mode.progress()
	busy := m.asleep != 0 || m.copying != 0
	if p.busy() != busy || (p.copy == copiesIn) != (m.copying != 0) || s.account.status != m.status && !busy && !m.open {
		t.Fatalf("session %+v in %c, server %+v", p, s.account.status, m)
	}
	if open := m.open || m.skip; !busy && (p.batch != noBatch) != open {
		t.Fatalf("the batch is %v, server %+v", p.batch, m)
	}
}

func finishModel(t *testing.T, s *Session, m *model) {
	m.pooler.dirty = m.status != 'I' || m.open
	for range 10000 {
		f := s.Finish()
		m.in = append(m.in, f.Send...)
		if f.Cancel || !f.Done && !f.Broken && f.Send == nil { // some time has passed: what was on its way has come
			m.run()
			m.cancel()
		}
		switch {
		case s.pooled && (m.pooler.given || f.Drop && m.pooler.dirty && m.between()):
			t.Fatalf("the pooler gives it away: server %+v", m)
		case f.Drop:
			return
		case f.Broken && !s.up.partial():
			t.Fatalf("broken without a reason: server %+v", m)
		case f.Broken:
			return
		case f.Done:
			m.run()
			if !m.gone || m.misled || s.pooled && m.pooler.dirty || m.clean && (len(m.in) > 0 || m.status != 'I') {
				t.Fatalf("not ended: server %+v", m)
			}
			return
		}
		if said := m.deliver(s); m.misled {
			t.Fatalf("sent %q to a server that copies", f.Send)
		} else if m.gone {
			return
		} else if !said && !f.Cancel && f.Send == nil {
			t.Fatalf("stuck: session %+v, server %+v", s.mode.progress(), m)
		}
	}
	t.Fatal("endless")
}
