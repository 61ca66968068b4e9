package guard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/supervisor/logline"
)

// Reset is what ResetSessions has done in one upstream. What a session was about is as it was found.
type Reset struct {
	Database   string // user@server/database
	Sessions   int    // that were told to end
	Cancelled  int    // of these, in the middle of a statement
	RolledBack int    // of these, between two statements of a transaction
	Statements int    // named prepared statements that are gone with them
	Left       int    // of these, that did not end in time
	Reason     string // why there is nothing that could be ended
}

// errReset is what the client of a session hears that ResetSessions ends. Pools connect again.
var errReset = login.Fatal("57P01", "terminating connection due to administrator command",
	"The connections of the app were reset through devguard.")

// ResetSessions ends every session of the app that passes through us, in order: what runs is
// cancelled, what is open is rolled back, the session is ended. The app goes on, and may open new
// ones meanwhile. It returns when they are gone, or after the drain timeout of their upstream.
// Sessions that go past us are the app's own to end.
func (g *Guard) ResetSessions(ctx context.Context) []Reset {
	used := g.upstreams.usedUntil(everyGeneration)
	done := make([]Reset, len(used))
	var all sync.WaitGroup
	for i, u := range used {
		done[i].Database = u.name
		if u.listeners.app() == nil {
			done[i].Reason = "the app connects past devguard there; a restart ends those sessions that are provably its own"
			logline.Note(true, "no session of the app was ended, as asked: "+done[i].Reason, "").With(slog.String("database", u.name)).To(u.log.Logger)
			continue
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, u.access().timeout)
			defer cancel()
			u.spares.close(ctx, everyGeneration)
			u.sessions.reset(ctx, &done[i])
			msg := fmt.Sprintf("sessions of the app that were ended, as asked: %d", done[i].Sessions)
			logline.Note(false, msg, "").With(slog.String("database", u.name)).To(u.log.Logger)
		})
	}
	all.Wait()
	return done
}

// reset ends the app's sessions that there are, within ctx, and adds up what that was.
func (s *sessions) reset(ctx context.Context, r *Reset) {
	told := s.until(everyGeneration)
	for _, c := range told {
		r.count(c.status())
		c.end(errReset)
	}
	for _, c := range told {
		if !c.overBy(ctx) {
			c.cancel()
			r.Left++
		}
	}
}

func (r *Reset) count(s Session) {
	r.Sessions++
	r.Statements += s.Prepared
	switch s.State {
	case "active":
		r.Cancelled++
	case "idle in transaction", "idle in transaction (aborted)":
		r.RolledBack++
	}
}
