package session

import (
	"bytes"
	"fmt"
	"testing"
)

// TestRewriteInjectsBetweenMessages: a client in the middle of CopyData that falls silent after it
// is told what it waits for, and the server finds no message in another.
func TestRewriteInjectsBetweenMessages(t *testing.T) {
	batch := []string{"B|a|", "P|copy x from stdin|||", "B||", "E|||||", "S"}
	said := []string{"1", "t||", rowB, "2", "1", "t||", "n", "2"}
	for name, test := range map[string]struct {
		said, sent, answer []string
		shown              string
	}{
		"COPY":            {append(said, "G"), []string{"fCOPY was given up|", "S"}, []string{"EC57014||", "ZI"}, "ZI"},
		"its transaction": {append(said, "CBEGIN|", "ZT"), []string{"QROLLBACK|"}, []string{"CROLLBACK|", "ZI"}, "ZI"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Mode: Rewrite})
			for _, x := range named {
				checkExchange(t, s, x, 1<<20)
			}
			s.Client(wire(batch...), epoch)
			data := wire("drow and row")
			s.Client(data[:8], epoch)
			checkExchange(t, s, exchange{"<", test.said, []string{clash}, nil}, 1<<20)
			out, n := s.Client(append(data[8:], wire("dmore")...), epoch)
			if want := append(data[8:len(data):len(data)], wire(test.sent...)...); !bytes.Equal(out, want) || n < len(data)-8 {
				t.Fatalf("took %d, sent %q, want %q", n, out, want)
			}
			checkExchange(t, s, exchange{"<", test.answer, []string{test.shown}, nil}, 1<<20)
		})
	}
}

// TestRewriteForgetsClosedPortals: a driver may open and close any number of them in one
// transaction.
func TestRewriteForgetsClosedPortals(t *testing.T) {
	s := New(Options{Mode: Rewrite})
	s.Client(wire("Qbegin|"), epoch)
	s.Server(wire("CBEGIN|", "ZT"), epoch)
	for i := range maxOpenPortals + 10 {
		p := fmt.Sprintf("p%d|", i)
		out, _ := s.Client(wire("P|select 1|||", "B"+p+"|", "E"+p+"||||", "CP"+p, "S"), epoch)
		if bytes.Contains(out, wire(poison)) {
			t.Fatalf("portal %d was refused", i)
		}
		s.Server(wire("1", "t||", rowA, "2", "CSELECT 0|", "3", "ZT"), epoch)
		s.TakeEvents()
	}
}
