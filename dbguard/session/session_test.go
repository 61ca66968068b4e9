package session

import (
	"bytes"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// wire builds messages: each is a type byte and its body; "\x00" is written as |.
func wire(messages ...string) (out []byte) {
	for _, m := range messages {
		body := bytes.ReplaceAll([]byte(m[1:]), []byte("|"), []byte{0})
		out = append(appendHead(out, m[0], len(body)), body...)
	}
	return out
}

// pair drives a session of mode Pass.
type pair struct {
	t   *testing.T
	s   *Session
	now time.Time
}

func newPair(t *testing.T) *pair { return &pair{t, New(Options{}), epoch} }

// client sends messages, all of which must pass.
func (p *pair) client(messages ...string) {
	p.t.Helper()
	in := wire(messages...)
	out, n := p.s.Client(in, p.now)
	if n != len(in) || !bytes.Equal(out, in) {
		p.t.Fatalf("client: took %d of %d, out %q", n, len(in), out)
	}
}

func (p *pair) server(messages ...string) {
	p.t.Helper()
	in := wire(messages...)
	out, inject := p.s.Server(in, p.now)
	if !bytes.Equal(out, in) || inject != nil {
		p.t.Fatalf("server: out %q, inject %q", out, inject)
	}
}

func (p *pair) idle(want bool) {
	p.t.Helper()
	if got := p.s.Idle(); got != want {
		p.t.Fatalf("idle is %v, want %v (%+v)", got, want, p.s.mode.progress())
	}
}

func (p *pair) finish(want Finish) {
	p.t.Helper()
	got := p.s.Finish()
	same := got.Cancel == want.Cancel && got.Done == want.Done && got.Drop == want.Drop && got.Broken == want.Broken && got.RollsBack == want.RollsBack
	if !same || !bytes.Equal(got.Send, want.Send) {
		p.t.Fatalf("finish is %+v (%q), want %+v (%q)", got, got.Send, want, want.Send)
	}
}

func (p *pair) prepared(want int) {
	p.t.Helper()
	if got := p.s.Snapshot().Prepared; got != want {
		p.t.Fatalf("%d statements prepared, want %d", got, want)
	}
}

// ended checks how many Executes and Queries have ended since the last call, and how many errors
// there were.
func (p *pair) ended(queries, errors int) {
	p.t.Helper()
	if q, e := ended(p.s.TakeEvents()); q != queries || e != errors {
		p.t.Fatalf("%d queries and %d errors, want %d and %d", q, e, queries, errors)
	}
}

func ended(events []Event) (queries, errors int) {
	for _, e := range events {
		if e.Kind == Executed {
			queries++
		}
		if e.SQLState != "" {
			errors++
		}
	}
	return queries, errors
}

const failure = "ESERROR|VERROR|C"

func TestPassKnowsWhatRuns(t *testing.T) {
	p := newPair(t)
	p.client("Ps1|select * from t where a = 'x'|\x00\x00", "DSs1|", "S")
	p.idle(false)
	p.server("1", "t", "T", "ZI")
	p.idle(true)
	p.prepared(1)
	p.now = p.now.Add(time.Second)
	p.client("B|s1|", "E|....", "S")
	p.now = p.now.Add(time.Second)
	got := p.s.Snapshot()
	if got.State != "active" || got.Query != "select * from t where a = ?" || !got.QueryStart.Equal(epoch.Add(time.Second)) {
		t.Fatalf("%+v", got)
	}
	p.server("2", "Dxxx", "CSELECT 1|", "ZI")
	events := p.s.TakeEvents()
	if len(events) != 1 || events[0] != (Event{Kind: Executed, Fingerprint: got.Query, Took: time.Second}) {
		t.Fatalf("%+v", events)
	}
	if p.s.TakeEvents() != nil {
		t.Fatal("an event was told twice")
	}
}

func TestPassTransactionStates(t *testing.T) {
	p := newPair(t)
	p.client("Qbegin|")
	p.server("CBEGIN|", "ZT")
	p.idle(false)
	if s := p.s.Snapshot(); s.State != "idle in transaction" || !s.XactStart.Equal(epoch) {
		t.Fatalf("%+v", s)
	}
	p.now = p.now.Add(time.Second)
	p.client("Qselect 1/0|")
	p.server(failure+"22012|", "ZE")
	if s := p.s.Snapshot(); s.State != "idle in transaction (aborted)" || !s.XactStart.Equal(epoch) {
		t.Fatalf("%+v", s)
	}
	p.ended(2, 1)
	p.client("Qrollback|")
	p.server("CROLLBACK|", "ZI")
	p.idle(true)
	if s := p.s.Snapshot(); s.State != "idle" || !s.XactStart.IsZero() {
		t.Fatalf("%+v", s)
	}
	p.ended(1, 0)
}

func TestPassNamesFollowTheServer(t *testing.T) {
	p := newPair(t)
	p.client("Pa|select 1|\x00\x00", "Pb|selec|\x00\x00", "Pc|select 3|\x00\x00", "CSa|", "S")
	p.server("1", failure+"42601|", "ZI")
	p.prepared(1) // b failed, c and the Close were skipped
	p.client("Pa|select 2|\x00\x00", "S")
	p.server(failure+"42P05|", "ZI")
	p.prepared(1)
	if e := p.s.TakeEvents(); len(e) != 1 || e[0] != (Event{Kind: Conflict, SQLState: "42P05", Fingerprint: "select ?"}) {
		t.Fatalf("%+v", e)
	}
	p.client("Pd|select 4|\x00\x00", "S")
	p.server("1", "ZI")
	p.prepared(2)
	p.client("CSa|", "S")
	p.server("3", "ZI")
	p.prepared(1)
	p.client("Qdiscard all|")
	p.server("CDISCARD ALL|", "ZI")
	p.prepared(0)
	p.idle(true)
}

func TestPassErrorBeforeSync(t *testing.T) {
	p := newPair(t)
	p.client("P|selec|\x00\x00", "H")
	p.server(failure + "42601|")
	p.client("B||", "E|....", "Qselect 1|") // the server reads over these
	p.idle(false)
	p.client("S")
	p.idle(false)
	p.server("ZI")
	p.idle(true)
}

func TestPassAsyncMessages(t *testing.T) {
	p := newPair(t)
	p.server("NSNOTICE|", "Sapplication_name|x|", "A....chan||", "~new message")
	p.idle(true)
	p.server(failure + "57P01|")
	if e := p.s.TakeEvents(); len(e) != 1 || e[0].SQLState != "57P01" || e[0].Fingerprint != "" {
		t.Fatalf("%+v", e)
	}
}

func TestPassCopyIn(t *testing.T) {
	begin := []string{"P|copy t from stdin|\x00\x00", "B||", "E|...."}
	run := func(name string, f func(p *pair)) {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			f(p)
			p.idle(true)
			p.client("Qselect 1|")
			p.idle(false)
			p.server("CSELECT 1|", "ZI")
			p.idle(true)
		})
	}
	run("simple", func(p *pair) {
		p.client("Qcopy t from stdin|")
		p.server("G")
		p.client("d1\n", "S", "c")
		p.server("CCOPY 1|", "ZI")
	})
	run("two in one query", func(p *pair) {
		p.client("Qcopy t from stdin; copy t from stdin|")
		p.server("G")
		p.client("d1\n", "c")
		p.server("CCOPY 1|", "G")
		p.client("d1\n", "fno|")
		p.server(failure+"57014|", "ZI")
	})
	run("late sync", func(p *pair) {
		p.client(append(begin, "H")...)
		p.server("1", "2", "G")
		p.client("d1\n", "c", "S")
		p.idle(false)
		p.server("CCOPY 1|", "ZI")
	})
	run("early sync", func(p *pair) {
		p.client(append(begin, "S")...)
		p.server("1", "2", "G")
		p.client("d1\n", "c")
		p.server("CCOPY 1|")
		p.idle(false)
		p.client("S")
		p.server("ZI")
	})
	run("all at once", func(p *pair) {
		p.client(append(begin, "S", "d1\n", "c", "S")...)
		p.server("1", "2", "G", "CCOPY 1|")
		p.idle(false)
		p.server("ZI")
	})
	run("bad row", func(p *pair) {
		p.client(append(begin, "S")...)
		p.server("1", "2", "G")
		p.client("dx\n")
		p.server(failure + "22P02|")
		p.client("d1\n", "c")
		p.idle(false)
		p.client("S")
		p.server("ZI")
	})
	run("refused", func(p *pair) {
		p.client(append(begin, "S", "d1\n", "c", "S")...)
		p.server("1", "2", failure+"42501|", "ZI")
		p.idle(false)
		p.server("ZI")
	})
}

func TestHold(t *testing.T) {
	p := newPair(t)
	p.client("Qbegin|")
	p.server("CBEGIN|", "ZT")
	p.s.Hold(true)
	p.client("Qselect 1|") // still in its transaction
	in := wire("Qcommit|", "Qbegin|")
	if _, n := p.s.Client(in, p.now); n != 0 {
		t.Fatalf("took %d bytes although a reply is outstanding", n)
	}
	p.server("CSELECT 1|", "ZT")
	out, n := p.s.Client(in, p.now)
	if n != len(wire("Qcommit|")) || len(out) != n {
		t.Fatalf("took %d bytes", n)
	}
	p.server("CCOMMIT|", "ZI")
	p.idle(true)
	if _, n := p.s.Client(in[n:], p.now); n != 0 {
		t.Fatal("taken while held")
	}
	p.s.Hold(false)
	p.client("Qbegin|")
}

func TestImpossibleLength(t *testing.T) {
	for name, bad := range map[string]string{"short": "Q\x00\x00\x00\x03", "huge": "Q\x7f\xff\xff\xff", "negative": "Q\xff\xff\xff\xff"} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{})
			in := append(wire("Qselect 1|"), bad...)
			if out, n := s.Client(in, epoch); n != len(in)-5 || len(out) != n || s.Err() == nil {
				t.Fatalf("took %d, error %v", n, s.Err())
			}
			if f := s.Finish(); !f.Broken || !f.Cancel {
				t.Fatalf("%+v", f)
			}
			s = New(Options{})
			if out, _ := s.Server(append(wire("NSx||"), bad...), epoch); !bytes.Equal(out, wire("NSx||")) || s.Err() == nil {
				t.Fatalf("passed %q, error %v", out, s.Err())
			}
		})
	}
}

func TestFullPipelineWaits(t *testing.T) {
	s := New(Options{})
	one := wire("B||")
	in := bytes.Repeat(one, maxAwaited+10)
	if _, n := s.Client(in, epoch); n != maxAwaited*len(one) {
		t.Fatalf("took %d messages", n/len(one))
	}
	s.Server(wire("2", "2"), epoch)
	if _, n := s.Client(in, epoch); n != 2*len(one) {
		t.Fatalf("took %d messages", n/len(one))
	}
}

func TestEventsAreBounded(t *testing.T) {
	p := newPair(t)
	for range 3 * maxEvents {
		p.client("Qselect 1|")
		p.server("CSELECT 1|", "ZI")
	}
	if n := len(p.s.TakeEvents()); n > maxEvents || n < maxEvents/2 {
		t.Fatal(n)
	}
}

func TestNamesAreBounded(t *testing.T) {
	p := newPair(t)
	name := make([]byte, 40)
	for i := range 20000 {
		copy(name, time.Duration(i).String())
		in := wire("P"+string(bytes.ReplaceAll(name, []byte{0}, []byte("x")))+"|select 1|\x00\x00", "S")
		p.s.Client(in, p.now)
		p.s.Server(wire("1", "ZI"), p.now)
	}
	if n := p.s.pass.names.bytes; n > maxNameBytes {
		t.Fatal(n)
	}
	if n := len(p.s.pass.names.statements); n < 1000 {
		t.Fatal(n)
	}
}

// FuzzPass: bytes out equal bytes in, whatever they are and however they are cut; where a side
// ends, it ends with Err.
func FuzzPass(f *testing.F) {
	extended := wire("Pa|select 1|\x00\x00", "B|a|", "DP|", "E|....", "S", "CSa|", "S", "X")
	replies := wire("1", "2", "T", "D", "CSELECT 1|", "ZI", "3", "ZT", failure+"26000|", "N", "G", "W", "I", "s", "ZE")
	f.Add(extended, replies, byte(3))
	f.Add(wire("Qcopy|", "d", "c", "S", "F", "f|", "H"), wire("G", "CCOPY 1|", "ZI", "V"), byte(1))
	f.Add([]byte("Q\x00\x00\x00\x03x"), []byte("Z\xff\xff\xff\xff"), byte(7))
	f.Add([]byte("P\x00\x00\x40\x00x"), []byte("D\x00\x10\x00\x00"), byte(200))
	f.Fuzz(func(t *testing.T, client, server []byte, chunk byte) {
		s := New(Options{})
		up, down := client, server
		for n := 1; len(up) > 0 || len(down) > 0; n++ {
			c := up[:min(len(up), 1+int(chunk)*n%257)]
			out, taken := s.Client(c, epoch)
			if s.ending.phase != terminated && (taken != len(out) || !bytes.Equal(out, c[:taken])) {
				t.Fatalf("client sent %q, out %q", c, out)
			}
			if taken < len(c) && s.Err() == nil && s.pass.queue.n < maxAwaited {
				t.Fatalf("took %d of %q", taken, c)
			}
			d := down[:min(len(down), 1+int(chunk)*n%131)]
			if out, _ := s.Server(d, epoch); s.Err() == nil && !bytes.Equal(out, d) {
				t.Fatalf("server sent %q, out %q", d, out)
			}
			if s.Err() != nil {
				return
			}
			up, down = up[taken:], down[len(d):]
			s.Snapshot()
			s.TakeEvents()
		}
		for range 3 {
			s.Finish()
		}
	})
}

// TestChunksDoNotMatter: whatever the cuts, the session ends in the same state.
func TestChunksDoNotMatter(t *testing.T) {
	up := wire("Pa|select 1|\x00\x00", "B|a|", "E|....", "S", "Qbegin; select 'x'|", "Pb|"+string(make([]byte, 9000))+"|", "S")
	down := wire("1", "2", "D1", "CSELECT 1|", "ZI", "CBEGIN|", "ZT", failure+"26000|", "ZE")
	for size := 1; size < 40; size++ {
		s := New(Options{})
		feed(up, size, func(b []byte) { s.Client(b, epoch) })
		feed(down, size, func(b []byte) { s.Server(b, epoch) })
		got := s.Snapshot()
		if got.State != "idle in transaction (aborted)" || got.Prepared != 1 || s.up.partial() {
			t.Fatalf("chunks of %d: %+v", size, got)
		}
		if queries, errors := ended(s.TakeEvents()); queries != 2 || errors != 1 {
			t.Fatalf("chunks of %d: %d queries, %d errors", size, queries, errors)
		}
	}
}

func feed(b []byte, size int, f func([]byte)) {
	for len(b) > 0 {
		n := min(size, len(b))
		f(b[:n])
		b = b[n:]
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	s := New(Options{})
	s.Client(wire("Ps1|select 1|\x00\x00", "S"), epoch)
	s.Server(wire("1", "ZI"), epoch)
	up := wire("B|s1|\x00\x00\x00\x00\x00\x01\x00\x01", "E|....", "S")
	down := wire("2", "D\x00\x01....x", "CSELECT 1|", "ZI")
	b.ReportAllocs()
	for b.Loop() {
		s.Client(up, epoch)
		s.Server(down, epoch)
		s.TakeEvents()
	}
}

func BenchmarkRows(b *testing.B) {
	s := New(Options{})
	rows := bytes.Repeat(wire("D"+string(make([]byte, 60))), 1000)
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		s.Server(rows, epoch)
	}
}
