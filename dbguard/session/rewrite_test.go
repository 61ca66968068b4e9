package session

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// exchange is one step: what one side sends and what comes out of it, as wire writes it. The first
// letter of from is the side: "> " client, "< " upstream.
type exchange struct {
	from string
	in   []string
	out  []string
	more []string // upstream: what is injected; client: what it is made to wait with
}

const (
	rowA   = "T|\x01a|ttttaaoooosstttmff"
	rowB   = "T|\x01b|ttttaaoooosstttmff"
	rowA2  = "T|\x01a|TTTTAAoooosstttmff" // of another table, which does not matter
	poison = "Edevguard: refused|||||"
	clash  = "ESERROR|VERROR|C0A000|Mcached plan must not change result type||"
	noSuch = "ESERROR|VERROR|C34000|Mportal does not exist||"
)

var name63 = strings.Repeat("n", 63)

// named is what prepares a as the client's first statement and is not shown again.
var named = []exchange{
	{">", []string{"Pa|select 1|||", "DSa|", "S"}, []string{"P|select 1|||", "DS|", "S"}, nil},
	{"<", []string{"1", "t||", rowA, "ZI"}, []string{"1", "t||", rowA, "ZI"}, nil},
}

var rewriteTables = map[string][]exchange{
	"a Parse without Describe is described before the next message": {
		{">", []string{"Pa|select 1|||"}, []string{"P|select 1|||"}, nil},
		{">", []string{"H", "S"}, []string{"DS|", "H", "S"}, nil},
		{"<", []string{"1", "t||", rowA, "ZI"}, []string{"1", "ZI"}, nil},
	},
	"a statement of an earlier batch is prepared again": append(slices.Clone(named),
		exchange{">", []string{"Bp|a|args", "Ep|||||", "S"}, []string{"P|select 1|||", "DS|", "Bp||args", "Ep|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowA2, "2", "Drow", "CSELECT 1|", "ZI"}, []string{"2", "Drow", "CSELECT 1|", "ZI"}, nil}),
	"once a batch is enough": append(slices.Clone(named),
		exchange{">", []string{"B|a|1", "E|||||", "B|a|2", "E|||||", "S"},
			[]string{"P|select 1|||", "DS|", "B||1", "E|||||", "B||2", "E|||||", "S"}, nil}),
	"what changed is an error, and the rows are not shown": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "E|||||", "S"}, []string{"P|select 1|||", "DS|", "B||", "E|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "2", "Drow", "CSELECT 1|"}, []string{clash}, nil},
		exchange{"<", []string{"ZI"}, []string{"ZI"}, nil}),
	"a Bind may fail for it first, asking for formats of columns that are gone": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "E|||||", "S"}, []string{"P|select 1|||", "DS|", "B||", "E|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "EC08P01||", "ZI"}, []string{clash, "ZI"}, nil},
		exchange{">", []string{"B|a|", "S"}, []string{"P|select 1|||", "DS|", "B||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowA, "EC08P01||", "ZI"}, []string{"EC08P01||", "ZI"}, nil}),
	"or for a reason of its own, which the server too sees before it plans": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "S"}, []string{"P|select 1|||", "DS|", "B||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "EC22P02||", "ZI"}, []string{"EC22P02||", "ZI"}, nil}),
	"and fails the transaction": append(slices.Clone(named),
		exchange{">", []string{"Qbegin|"}, []string{"Qbegin|"}, nil},
		exchange{"<", []string{"CBEGIN|", "ZT"}, []string{"CBEGIN|", "ZT"}, nil},
		exchange{">", []string{"B|a|", "S"}, []string{"P|select 1|||", "DS|", "B||", "S"}, nil},
		exchange{">", []string{"Qselect 2|"}, nil, []string{"Qselect 2|"}},
		exchange{"<", []string{"1", "t||", rowB, "2", "ZT"}, []string{clash}, []string{poison, "S"}},
		exchange{">", []string{"Qselect 2|"}, nil, []string{"Qselect 2|"}},
		exchange{"<", []string{noSuch, "ZE"}, []string{"ZE"}, nil},
		exchange{">", []string{"Qselect 2|"}, []string{"Qselect 2|"}, nil}),
	"or undoes it when the client does not know of it": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "P|begin|||", "B||", "E|||||", "S"},
			[]string{"P|select 1|||", "DS|", "B||", "P|begin|||", "DS|", "B||", "E|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "2", "1", "t||", "n", "2", "CBEGIN|", "ZT"}, []string{clash}, []string{"QROLLBACK|"}},
		exchange{"<", []string{"CROLLBACK|", "ZI"}, []string{"ZI"}, nil}),
	"also when that has failed": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "P|begin|||", "B||", "E|||||", "P|bad|||", "S"},
			[]string{"P|select 1|||", "DS|", "B||", "P|begin|||", "DS|", "B||", "E|||||", "P|bad|||", "DS|", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "2", "1", "t||", "n", "2", "CBEGIN|", "EC42601||", "ZE"}, []string{clash}, []string{"QROLLBACK|"}},
		exchange{"<", []string{"CROLLBACK|", "ZI"}, []string{"ZI"}, nil}),
	"also when the same batch has ended the one that was open": append(slices.Clone(named),
		exchange{">", []string{"Qbegin|"}, []string{"Qbegin|"}, nil},
		exchange{"<", []string{"CBEGIN|", "ZT"}, []string{"CBEGIN|", "ZT"}, nil},
		exchange{">", []string{"P|commit|||", "B||", "E|||||", "B|a|", "P|begin|||", "B||", "E|||||", "S"},
			[]string{"P|commit|||", "DS|", "B||", "E|||||", "P|select 1|||", "DS|", "B||", "P|begin|||", "DS|", "B||", "E|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", "n", "2", "CCOMMIT|", "1", "t||", rowB, "2", "1", "t||", "n", "2", "CBEGIN|", "ZT"},
			[]string{"1", "2", "CCOMMIT|", clash}, []string{"QROLLBACK|"}},
		exchange{"<", []string{"CROLLBACK|", "ZI"}, []string{"ZI"}, nil}),
	"Close and Bind of what is closed": append(slices.Clone(named),
		exchange{">", []string{"CSa|", "B|a|", "S"}, []string{"CS|", poison, "S"}, nil},
		exchange{"<", []string{"3", noSuch, "ZI"},
			[]string{"3", `ESERROR|VERROR|C26000|Mprepared statement "a" does not exist||`, "ZI"}, nil}),
	"a duplicate": append(slices.Clone(named),
		exchange{">", []string{"Pa|select 2|||", "S"}, []string{"P|select 2|||", poison, "S"}, nil},
		exchange{"<", []string{"1", noSuch, "ZI"}, []string{`ESERROR|VERROR|C42P05|Mprepared statement "a" already exists||`, "ZI"}, nil}),
	"a duplicate in an aborted transaction is the server's error": append(slices.Clone(named),
		exchange{">", []string{"Pa|select 2|||", "S"}, []string{"P|select 2|||", poison, "S"}, nil},
		exchange{"<", []string{"EC25P02||", "ZE"}, []string{"EC25P02||", "ZE"}, nil}),
	"an error undoes what was skipped": {
		{">", []string{"P|bad|||", "Pa|select 1|||", "S"}, []string{"P|bad|||", "DS|", "P|select 1|||", "DS|", "S"}, nil},
		{">", []string{"B|a|", "S"}, nil, []string{"B|a|", "S"}},
		{"<", []string{"EC42601||", "ZI"}, []string{"EC42601||", "ZI"}, nil},
		{">", []string{"B|a|", "S"}, []string{poison, "S"}, nil},
	},
	"the result of FETCH may change, but it is described as before": {
		{">", []string{"Pa|fetch c|||", "DSa|", "S"}, []string{"P|fetch c|||", "DS|", "S"}, nil},
		{"<", []string{"1", "t||", rowA, "ZT"}, []string{"1", "t||", rowA, "ZT"}, nil},
		{">", []string{"B|a|", "DSa|", "S"}, []string{"P|fetch c|||", "DS|", "B||", "DS|", "S"}, nil},
		{"<", []string{"1", "t||", rowB, "2", "t||", "n", "ZT"}, []string{"2", "t||", rowA, "ZT"}, nil},
	},
	"of a name 63 bytes count": {
		{">", []string{"P" + name63 + "x|select 1|||", "DS" + name63 + "y|", "S"}, []string{"P|select 1|||", "DS|", "S"}, nil},
		{"<", []string{"1", "t||", rowA, "ZI"}, []string{"1", "t||", rowA, "ZI"}, nil},
		{">", []string{"P" + name63 + "|select 2|||", "S"}, []string{"P|select 2|||", poison, "S"}, nil},
		{"<", []string{"1", noSuch, "ZI"}, []string{`ESERROR|VERROR|C42P05|Mprepared statement "` + name63 + `" already exists||`, "ZI"}, nil},
		{">", []string{"CS" + name63 + "z|", "B|" + name63 + "|", "S"}, []string{"CS|", poison, "S"}, nil},
	},
	"DEALLOCATE": append(slices.Clone(named),
		exchange{">", []string{"Qdeallocate a;|"}, []string{"Q" + standIn + "|"}, nil},
		exchange{"<", []string{"CUNLISTEN|", "ZI"}, []string{"CDEALLOCATE|", "ZI"}, nil},
		exchange{">", []string{"Qdeallocate a|"}, []string{"Qdeallocate a|"}, nil}),
	"a DEALLOCATE of itself": {
		{">", []string{"Pa|deallocate a|||", "B|a|", "E|||||", "S"}, []string{"P|deallocate a|||", "DS|",
			"P|" + standIn + "|||", "DS|", "B||", "E|||||", "S"}, nil},
		{"<", []string{"1", "t||", "n", "1", "t||", "n", "2", "CUNLISTEN|", "ZI"}, []string{"1", "2", "CDEALLOCATE|", "ZI"}, nil},
		{">", []string{"B|a|", "S"}, []string{poison, "S"}, nil},
	},
	"DISCARD ALL in a transaction": append(slices.Clone(named),
		exchange{">", []string{"Qbegin|"}, []string{"Qbegin|"}, nil},
		exchange{"<", []string{"CBEGIN|", "ZT"}, []string{"CBEGIN|", "ZT"}, nil},
		exchange{">", []string{"Qdiscard all|"}, []string{"Q" + refuseInQuery + "|"}, nil},
		exchange{"<", []string{"EC26000||", "ZE"}, []string{"ESERROR|VERROR|C25001|MDISCARD ALL cannot run inside a transaction block||", "ZE"}, nil}),
	"several statements with DEALLOCATE ALL": {
		{">", []string{"Qselect 1; deallocate all|"}, []string{"Q" + refuseInQuery + "|"}, nil},
	},
	"SQL EXECUTE of a protocol statement": append(slices.Clone(named),
		exchange{">", []string{"Qexplain execute a|"}, []string{"Q" + refuseInQuery + "|"}, nil},
		exchange{"<", []string{"EC26000||", "ZI"}, []string{"ESERROR|VERROR|C26000|Mprepared statement \"a\" does not exist|" +
			"HIt was prepared by a protocol message; through a transaction pooler SQL EXECUTE does not reach it.||", "ZI"}, nil},
		exchange{">", []string{"P|execute a|||", "S"}, []string{"P|execute a|||", poison, "S"}, nil}),
	"a batch is not begun before the one before it is answered": {
		{">", []string{"P|select 1|||", "S"}, []string{"P|select 1|||", "DS|", "S"}, nil},
		{">", []string{"Qselect 2|"}, nil, []string{"Qselect 2|"}},
		{"<", []string{"1", "t||", rowA, "ZI"}, []string{"1", "ZI"}, nil},
		{">", []string{"Qselect 2|", "P|select 3|||"}, []string{"Qselect 2|"}, []string{"P|select 3|||"}},
		{"<", []string{rowB, "Drow", "CSELECT 1|", "ZI"}, []string{rowB, "Drow", "CSELECT 1|", "ZI"}, nil},
		{">", []string{"P|select 3|||", "S"}, []string{"P|select 3|||", "DS|", "S"}, nil},
	},
	"FATAL is never replaced": {
		{">", []string{"B|a|", "S"}, []string{poison, "S"}, nil},
		{"<", []string{"EVFATAL|C57P01||"}, []string{"EVFATAL|C57P01||"}, nil},
	},
	"notices of a hidden Parse are said once": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "S"}, []string{"P|select 1|||", "DS|", "B||", "S"}, nil},
		exchange{"<", []string{"NCnote||", "1", "t||", rowA, "Sname|x|", "2", "NCnote||", "ZI"}, []string{"Sname|x|", "2", "NCnote||", "ZI"}, nil}),
	"COPY of a batch that the client believes failed is given up": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "P|copy x from stdin|||", "B||", "E|||||", "S"},
			[]string{"P|select 1|||", "DS|", "B||", "P|copy x from stdin|||", "DS|", "B||", "E|||||", "S"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "2", "1", "t||", "n", "2", "G"}, []string{clash}, []string{"fCOPY was given up|", "S"}},
		exchange{"<", []string{"EC57014||", "ZI"}, []string{"ZI"}, nil}),
	"the same before the client's Sync": append(slices.Clone(named),
		exchange{">", []string{"B|a|", "P|copy x from stdin|||", "B||", "E|||||", "H"},
			[]string{"P|select 1|||", "DS|", "B||", "P|copy x from stdin|||", "DS|", "B||", "E|||||", "H"}, nil},
		exchange{"<", []string{"1", "t||", rowB, "2", "1", "t||", "n", "2", "G"}, []string{clash}, nil},
		exchange{">", []string{"drow", "S"}, []string{"fCOPY was given up|", "S"}, nil},
		exchange{"<", []string{"EC57014||", "ZI"}, []string{"ZI"}, nil}),
	"nothing but data goes into a COPY": {
		{">", []string{"Qcopy x from stdin|"}, []string{"Qcopy x from stdin|"}, nil},
		{">", []string{"Pa|select 1|||"}, nil, []string{"Pa|select 1|||"}},
		{"<", []string{"G"}, []string{"G"}, nil},
		{">", []string{"Pa|select 1|||"}, []string{"fCOPY was given up|"}, []string{"Pa|select 1|||"}},
		{"<", []string{"EC57014||"}, []string{"EC57014||"}, nil},
		{">", []string{"Pa|select 1|||"}, nil, []string{"Pa|select 1|||"}},
		{"<", []string{"ZI"}, []string{"ZI"}, nil},
		{">", []string{"Pa|select 1|||"}, []string{"P|select 1|||"}, nil},
	},
	"unknown messages pass": {
		{">", []string{"?what"}, []string{"?what"}, nil},
		{"<", []string{"?ever"}, []string{"?ever"}, nil},
	},
}

func TestRewriteTables(t *testing.T) {
	for name, steps := range rewriteTables {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1, 7} {
				s := New(Options{Mode: Rewrite})
				for _, x := range steps {
					checkExchange(t, s, x, size)
				}
			}
		})
	}
}

// checkExchange plays a step in pieces of that size.
func checkExchange(t *testing.T, s *Session, x exchange, size int) {
	t.Helper()
	var out, more []byte
	if x.from == ">" {
		in := wire(x.in...)
		for len(in) > 0 {
			o, n := s.Client(in[:min(size, len(in))], epoch)
			out = append(out, o...)
			if in = in[n:]; n == 0 {
				break
			}
		}
		more = in
		if want := wire(x.more...); len(want) > 0 && size < 1<<20 {
			s.up.have, more = 0, want // part of a message may have been taken: let it come again
		}
	} else {
		feed(wire(x.in...), size, func(b []byte) {
			o, inject := s.Server(b, epoch)
			out, more = append(out, o...), append(more, inject...)
		})
	}
	if !bytes.Equal(out, wire(x.out...)) || !bytes.Equal(more, wire(x.more...)) {
		t.Fatalf("%s %q\n got %q and %q\nwant %q and %q", x.from, x.in, out, more, wire(x.out...), wire(x.more...))
	}
}

func TestRewriteStreamsABind(t *testing.T) {
	s := New(Options{Mode: Rewrite})
	for _, x := range named {
		checkExchange(t, s, x, 1<<20)
	}
	in := wire("B|a|" + strings.Repeat("x", 20<<20))
	var out []byte
	feed(in, 32<<10, func(b []byte) {
		o, n := s.Client(b, epoch)
		if out = append(out, o...); n != len(b) {
			t.Fatalf("took %d of %d", n, len(b))
		}
	})
	if cap(s.up.buf)+cap(s.upOut) > 4*keptBuffer {
		t.Errorf("kept %d and %d bytes", cap(s.up.buf), cap(s.upOut))
	}
	if want := wire("P|select 1|||", "DS|", "B||"+strings.Repeat("x", 20<<20)); !bytes.Equal(out, want) {
		t.Errorf("%d bytes, want %d", len(out), len(want))
	}
}

func TestRewriteBounds(t *testing.T) {
	s := New(Options{Mode: Rewrite})
	long := strings.Repeat("n", 5000)
	for _, m := range []string{"Pa" + long + "|select 1|||", "B" + long + "|a|", "DS" + long + "|", "E" + long + "|||||", "CS" + long + "|"} {
		out, _ := s.Client(wire(m), epoch)
		if !bytes.Contains(out, wire(poison)) {
			t.Errorf("%.10q: %.80q", m, out)
		}
	}
	s = New(Options{Mode: Rewrite})
	taken := 0
	for range 2 * maxOutstanding {
		_, n := s.Client(wire("E|||||"), epoch)
		taken += n
	}
	if got := taken / 10; got > maxOutstanding || got < maxOutstanding-32 {
		t.Errorf("took %d messages", got)
	}
}

func TestRewriteRemembersNoMoreThanIsAllowed(t *testing.T) {
	s := New(Options{Mode: Rewrite})
	text := strings.Repeat("select ", 50<<20/7) // not white space, which takes a minute to read with -race
	refused := 0
	for i := range 4 {
		out, _ := s.Client(wire(fmt.Sprintf("Ps%d|%s|||", i, text), "S"), epoch)
		reply := []string{"1", "t||", rowA, "ZI"}
		if bytes.Contains(out, wire(poison)) {
			reply = []string{"1", noSuch, "ZI"}
			refused++
		}
		s.Server(wire(reply...), epoch)
	}
	if r := s.rewrite; refused != 2 || r.statements.bytes > maxRemembered {
		t.Errorf("%d refused, %d bytes", refused, r.statements.bytes)
	}
}

func TestRewriteEvents(t *testing.T) {
	s := New(Options{Mode: Rewrite})
	for _, q := range []string{"Qlisten x|", "Qlisten y|"} {
		s.Client(wire(q), epoch)
		s.Server(wire("CLISTEN|", "ZI"), epoch)
	}
	s.Client(wire("Pa|select 'secret'|||", "S"), epoch)
	s.Server(wire("1", "t||", rowA, "ZI"), epoch)
	s.Client(wire("B|b|", "S"), epoch)
	s.Server(wire(noSuch, "ZI"), epoch)
	var got []string
	for _, e := range s.TakeEvents() {
		got = append(got, fmt.Sprintf("%d %s%s%s", e.Kind, e.Fingerprint, e.SQLState, e.Feature))
	}
	want := []string{"3 LISTEN", "1 listen x", "1 listen y", "2 26000"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := s.Snapshot().Prepared; n != 1 {
		t.Errorf("prepared %d", n)
	}
}

// FuzzRewriteBytes: nothing of either side makes a session panic.
func FuzzRewriteBytes(f *testing.F) {
	f.Add(wire("Pa|select 1|||", "Bp|a|", "S"), wire("1", "t||", rowA, "2", "ZI"))
	f.Add(wire("Qcopy x from stdin|", "d", "c"), wire("G", "CCOPY|", "ZI"))
	f.Add(wire("B||", "E", "D", "C", "P"), wire("E", "Z", "T", "t", "1", "2", "3", "s", "n", "G", "V"))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		s := New(Options{Mode: Rewrite})
		for len(client) > 0 || len(server) > 0 {
			_, n := s.Client(client[:min(9, len(client))], epoch)
			client = client[n:]
			k := min(11, len(server))
			s.Server(server[:k], epoch)
			if server = server[k:]; n == 0 && k == 0 {
				break
			}
		}
		s.Snapshot()
		s.TakeEvents()
		for range 10 {
			s.Finish()
		}
	})
}

func BenchmarkRewriteRoundTrip(b *testing.B) {
	s := New(Options{Mode: Rewrite})
	s.Client(wire("Pa|select a from t where id = $1|||", "DSa|", "S"), epoch)
	s.Server(wire("1", "t||", rowA, "ZI"), epoch)
	s.TakeEvents()
	in := wire("B|a||||\x01|||\x011||", "E|||||", "S")
	reply := wire("1", "t||", rowA, "2", "D|\x01|||\x011", "CSELECT 1|", "ZI")
	b.ReportAllocs()
	for b.Loop() {
		if _, n := s.Client(in, epoch); n != len(in) {
			b.Fatal("waits")
		}
		s.Server(reply, epoch)
		s.TakeEvents()
	}
}
