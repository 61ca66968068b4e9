package guard

import (
	"cmp"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/session"
)

// Status is how the Guard stands at one moment. It shares nothing with the
// Guard, and holds no password, no literal of a statement and no parameter.
type Status struct {
	Upstreams []Upstream // by name
}

// Upstream is one server, database and user of the app's environment.
type Upstream struct {
	Name        string // user@server/database
	Mode        string // session, transaction or drain; "" while that is not known
	Kind        string // postgres, session-pooler, transaction-pooler or unknown; "" while not known
	Reason      string // what the probe found, or why it did not, or why the app goes past us
	Listen      string // where the app finds it; "" when it goes past us
	Spares      int    // sessions dialled ahead for the next generation
	Paused      bool   // clients wait for a migration
	Sessions    []Session
	Generations []Generation // the newest first; of those that have ended, the last one alone
}

// Session is one client's session through us, with the columns of
// pg_stat_activity.
type Session struct {
	session.Snapshot
	Gen          int       // 0: a client of a fixed address that is not the app's
	BackendStart time.Time // of its login
	PID          uint32    // as the upstream calls it; 0 while the session is being opened
}

// Generation is what one generation of the app has on an upstream.
type Generation struct {
	Gen       int
	Prepared  int               // named prepared statements of its sessions
	Conflicts map[string]uint64 // errors of clashes with other generations, pools or schemas, by SQLSTATE
}

// Status returns how everything stands now.
func (g *Guard) Status() Status {
	var s Status
	for _, u := range g.upstreams.all() {
		s.Upstreams = append(s.Upstreams, u.status())
	}
	return s
}

func (u *upstream) status() Upstream {
	v, _ := u.prober.result()
	out := Upstream{
		Name: u.name, Kind: string(v.kind), Reason: cmp.Or(u.prober.fallbackReason(), v.reason),
		Spares: u.spares.count(), Paused: u.sessions.pausedUntil() != nil,
	}
	if m := u.prober.mode(); m != modeAuto {
		out.Mode = string(m)
	}
	if l := u.listeners.app(); l != nil {
		out.Listen = l.Addr().String()
	}
	for _, s := range u.sessions.all() {
		out.Sessions = append(out.Sessions, s.status())
	}
	slices.SortFunc(out.Sessions, func(a, b Session) int {
		return cmp.Or(a.BackendStart.Compare(b.BackendStart), cmp.Compare(a.PID, b.PID))
	})
	out.Generations = generations(out.Sessions, u.conflicts.counts())
	return out
}

// status returns how the session stands now.
func (c *clientSession) status() Session {
	s := Session{Gen: c.gen, BackendStart: c.since}
	server, r := c.running()
	if r != nil {
		s.PID, s.Snapshot = server.PID, r.Snapshot()
	}
	return s
}

// generations adds up what the sessions and conflicts of each generation are.
func generations(sessions []Session, conflicts map[int]map[string]uint64) []Generation {
	byGen := map[int]*Generation{}
	of := func(gen int) *Generation {
		if byGen[gen] == nil {
			byGen[gen] = &Generation{Gen: gen, Conflicts: conflicts[gen]}
		}
		return byGen[gen]
	}
	for gen := range conflicts {
		of(gen)
	}
	for _, s := range sessions {
		of(s.Gen).Prepared += s.Prepared
	}
	var list []Generation
	for _, g := range byGen {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Generation) int { return cmp.Compare(b.Gen, a.Gen) })
	return list
}
