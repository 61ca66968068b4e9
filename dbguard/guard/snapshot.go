package guard

import (
	"cmp"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/session"
)

// Snapshot is how the Guard stands at one moment. It shares nothing with the
// Guard, and holds no password, no literal of a statement and no parameter.
type Snapshot struct {
	Upstreams []Upstream // by name
}

// Upstream is one server, database and user of the app's environment.
type Upstream struct {
	Name        string   // user@server/database
	Variables   []string // that lead to it
	Mode        string   // session, transaction or drain; "" while that is not known
	Kind        string   // postgres, session-pooler, transaction-pooler or unknown; "" while not known
	Reason      string   // what the probe found, or why it did not
	Listen      string   // where the app finds it; "" when it goes past us
	Spares      int      // sessions dialled ahead for the next generation
	Paused      bool     // clients wait for a migration
	Sessions    []Session
	Generations []Generation // the newest first
}

// Session is one client's session through us, with the columns of
// pg_stat_activity and of PgBouncer's SHOW SERVERS.
type Session struct {
	session.Snapshot
	Gen             int       // 0: a client of a fixed address that is not the app's
	Since           time.Time // of its login: backend_start, connect_time
	ApplicationName string
	Database        string
	PID             uint32 // as the upstream calls it
	Local           string // our end of the connection upstream: client_addr and client_port to a server
}

// Snapshot returns how everything stands now.
func (g *Guard) Snapshot() Snapshot {
	var s Snapshot
	for _, u := range g.known() {
		s.Upstreams = append(s.Upstreams, g.snapshotOf(u))
	}
	return s
}

func (g *Guard) snapshotOf(u *upstream) Upstream {
	m := g.modeOf(u)
	g.mu.Lock()
	v, _ := u.probe.result()
	out := Upstream{
		Name: u.subject, Variables: slices.Clone(u.access.names), Kind: string(v.kind), Reason: v.reason,
		Spares: len(u.proxy.spares.list), Paused: u.proxy.paused != nil,
	}
	if m != modeAuto {
		out.Mode = string(m)
	}
	if u.proxy.fallen != "" {
		out.Reason = u.proxy.fallen
	}
	if u.proxy.listener != nil {
		out.Listen = u.proxy.listener.Addr().String()
	}
	lives := make([]*live, 0, len(u.proxy.lives))
	for l := range u.proxy.lives {
		lives = append(lives, l)
	}
	g.mu.Unlock()
	for _, l := range lives {
		out.Sessions = append(out.Sessions, g.sessionOf(l))
	}
	slices.SortFunc(out.Sessions, func(a, b Session) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.PID, b.PID))
	})
	out.Generations = u.stats.snapshot()
	return out
}

func (g *Guard) sessionOf(l *live) Session {
	g.mu.Lock()
	r := l.relay
	s := Session{Gen: l.gen, Since: l.since, ApplicationName: l.want.params["application_name"], Database: l.want.database}
	if l.up != nil {
		s.PID, s.Local = l.up.pid, l.up.local.String()
	}
	g.mu.Unlock()
	if r != nil {
		s.Snapshot = r.Snapshot()
	}
	return s
}
