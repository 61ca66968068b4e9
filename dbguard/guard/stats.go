package guard

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/dbguard/session"
)

const (
	// maxStatements bounds the statements that are told apart in a generation; the
	// rest are counted under "". An app has some hundreds; one that writes literals
	// into its SQL in a way that Fingerprint does not see through has no end of them.
	maxStatements = 500
	// keptGenerations is how many generations are remembered: this one, and the one
	// before it to compare with.
	keptGenerations = 2
)

// Statement is what is known of one statement in one generation.
type Statement struct {
	Fingerprint string // without literals; "" for all those beyond the first 500
	Calls       uint64 // ended, with or without an error
	Errors      uint64
	Total, Max  time.Duration
}

// Generation is what one generation of the app has done on one upstream.
type Generation struct {
	Gen        int
	Since      time.Time         // its first session
	Queries    uint64            // Execute and Query messages that have ended
	Conflicts  map[string]uint64 // errors of clashes with other generations, pools or schemas, by SQLSTATE
	Statements []Statement       // those that took longest in all first
}

// PerSecond returns the queries per second since its first session.
func (s Generation) PerSecond(now time.Time) float64 {
	if took := now.Sub(s.Since).Seconds(); took > 0 {
		return float64(s.Queries) / took
	}
	return 0
}

// statistics counts what the sessions of one upstream do.
type statistics struct {
	mu   sync.Mutex // not Guard.mu: every query of the app comes by
	gens map[int]*counts
}

type counts struct {
	since      time.Time
	queries    uint64
	conflicts  map[string]uint64
	statements map[string]*Statement
	logged     map[session.Event]bool // conflicts that were
}

// of returns the counts of a generation, and forgets those that are too old.
func (s *statistics) of(gen int) *counts {
	if c := s.gens[gen]; c != nil {
		return c
	}
	if s.gens == nil {
		s.gens = map[int]*counts{}
	}
	c := &counts{
		since: time.Now(), conflicts: map[string]uint64{},
		statements: map[string]*Statement{}, logged: map[session.Event]bool{},
	}
	s.gens[gen] = c
	maps.DeleteFunc(s.gens, func(n int, _ *counts) bool { return n > 0 && n <= gen-keptGenerations })
	return c
}

// add counts events and returns those that are to be logged: conflicts and
// features that were not seen before in this generation.
func (s *statistics) add(gen int, events []session.Event) (news []session.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(gen)
	for _, e := range events {
		switch e.Kind {
		case session.Executed:
			c.executed(e)
		case session.Conflict:
			c.conflicts[e.SQLState]++
			news = c.once(e, news)
		case session.Uncarried:
			news = c.once(session.Event{Kind: e.Kind, Feature: e.Feature}, news)
		}
	}
	return news
}

func (c *counts) once(e session.Event, news []session.Event) []session.Event {
	if c.logged[e] || len(c.logged) >= maxStatements {
		return news
	}
	c.logged[e] = true
	return append(news, e)
}

func (c *counts) executed(e session.Event) {
	c.queries++
	name := e.Fingerprint
	st := c.statements[name]
	if st == nil && len(c.statements) >= maxStatements {
		name = ""
		st = c.statements[name]
	}
	if st == nil {
		st = &Statement{Fingerprint: name}
		c.statements[name] = st
	}
	st.Calls++
	if e.SQLState != "" {
		st.Errors++
	}
	st.Total += e.Took
	st.Max = max(st.Max, e.Took)
}

// snapshot returns the counts as they are now, the newest generation first.
func (s *statistics) snapshot() []Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Generation
	for gen, c := range s.gens {
		g := Generation{Gen: gen, Since: c.since, Queries: c.queries, Conflicts: maps.Clone(c.conflicts)}
		for _, st := range c.statements {
			g.Statements = append(g.Statements, *st)
		}
		slices.SortFunc(g.Statements, func(a, b Statement) int {
			return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Fingerprint, b.Fingerprint))
		})
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b Generation) int { return cmp.Compare(b.Gen, a.Gen) })
	return list
}

// watcher hears what one session has seen. Its relay calls it, one call at a time.
type watcher struct {
	g    *Guard
	l    *live
	left bool // the client has said goodbye
}

func (w *watcher) take(events []session.Event) {
	for _, e := range events {
		w.left = w.left || e.Kind == session.Terminated
	}
	for _, e := range w.l.u.stats.add(w.l.gen, events) {
		if e.Kind == session.Conflict {
			w.g.sayConflict(w.l, e)
		} else {
			w.g.sayUncarried(w.l, e.Feature)
		}
	}
}
