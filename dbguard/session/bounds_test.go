package session

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// heap is what is in use, in bytes.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestMemoryBounds: what a session keeps, whatever a client and a server say.
func TestMemoryBounds(t *testing.T) {
	columns := "T|\x10" + strings.Repeat(strings.Repeat("n", 63)+"|ttttaaoooosstttmff", 1600)
	types := "t\xff\xff" + strings.Repeat("type", 0xffff)
	for name, test := range map[string]struct {
		most int // MiB
		play func(s *Session)
	}{
		"statements of 1 kB": {most: 12, play: func(s *Session) {
			nearlyFull(s)
			text := strings.Repeat("x", 1000)
			for i := range 10_000 {
				answer(s, wire(fmt.Sprintf("Ps%d|%s|||", i, text), "S"), wire("1", "t||", rowA, "ZI"))
			}
		}},
		"wide rows": {most: 2, play: func(s *Session) {
			for i := range 100 {
				answer(s, wire(fmt.Sprintf("Ps%d|select|||", i), "S"), wire("1", "t||", columns, "ZI"))
			}
		}},
		"many parameters": {most: 12, play: func(s *Session) {
			nearlyFull(s)
			for i := range 100 {
				answer(s, wire(fmt.Sprintf("Ps%d|select|||", i), "S"), wire("1", types, "n", "ZI"))
			}
		}},
		"a million of Sync": {most: 4, play: func(s *Session) { flood(s, wire("S"), 1_000_000) }},
		"a million of Flush": {most: 4, play: func(s *Session) {
			s.Client(wire("Qselect 1|"), epoch)
			flood(s, wire("H"), 1_000_000)
		}},
		"a million of CopyDone": {most: 4, play: func(s *Session) {
			s.Client(wire("Qcopy t from stdin|"), epoch)
			flood(s, wire("c"), 1_000_000)
		}},
		"a million of Execute": {most: 4, play: func(s *Session) { flood(s, wire("E|||||"), 1_000_000) }},
		"a Parse of 1 GB": {most: 1, play: func(s *Session) {
			s.Client(append(appendHead(nil, 'P', 1<<30), "a\x00"...), epoch)
			flood(s, make([]byte, 32<<10), 1000)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := New(Options{Mode: Rewrite})
			test.play(s)
			if grown := heap() - before; grown > test.most<<20 {
				t.Errorf("keeps %d kB", grown>>10)
			}
			runtime.KeepAlive(s)
		})
	}
}

// nearlyFull leaves it room for statements of 8 MiB.
func nearlyFull(s *Session) { s.rewrite.statements.bytes = maxRemembered - 8<<20 }

// answer has a message pass, and what a server says to it unless it was refused.
func answer(s *Session, in, reply []byte) {
	out, _ := s.Client(in, epoch)
	if bytes.Contains(out, wire(poison)) {
		reply = wire("1", noSuch, "ZI")
	}
	s.Server(reply, epoch)
	s.TakeEvents()
}

// flood sends the same again and again, to a server that says nothing.
func flood(s *Session, in []byte, times int) {
	for range times {
		if _, n := s.Client(in, epoch); n == 0 {
			return
		}
	}
}
