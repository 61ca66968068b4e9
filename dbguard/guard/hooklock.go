package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/supervisor/logline"
)

// lockLook is the pause between two looks at what a hook that migrates waits for. A
// lock that it gets within this time is no news; its lock_timeout is 10 s. A guess.
const lockLook = 2 * time.Second

// watchLocks says who holds the locks that a hook which migrates waits for, each once,
// until ctx ends. Its environment is env; begun is before its start.
func (g *Guard) watchLocks(ctx context.Context, hook string, env []string, begun time.Time) {
	if !sleep(ctx, lockLook) {
		return
	}
	upstreams, said := g.survey(dsn.Env(env), 0).upstreams, map[string]bool{}
	for {
		for _, u := range upstreams {
			v, _ := u.prober.result()
			if u.access().role == dsn.Other || v.kind != postgres {
				continue // behind a pooler a session of the hook's cannot be told from others
			}
			for _, b := range u.blocking(ctx, begun) {
				if key := fmt.Sprint(u.name, " ", b.PID); !said[key] {
					said[key] = true
					logline.Blocked(hook, u.describeBlocker(b), terminateIt(b), u.name).To(u.log.Logger)
				}
			}
		}
		if !sleep(ctx, lockLook) {
			return
		}
	}
}

// blocking looks once who keeps sessions waiting that were opened after begun. Its own
// session is closed at once: the hook may want to drop the database.
func (u *upstream) blocking(ctx context.Context, begun time.Time) []activity.Blocker {
	conn, err := connect(ctx, u.access().config)
	if err != nil {
		return nil // the hook itself says what is wrong
	}
	defer closeConn(ctx, conn)
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	var ours []uint32
	for _, s := range u.sessions.all() {
		if pid, _, ok := s.socket(); ok {
			ours = append(ours, pid)
		}
	}
	list, _ := activity.Blocking(ctx, conn, time.Since(begun), ours)
	return list
}

// describeBlocker says in one line who holds a lock, what it does and for how long.
func (u *upstream) describeBlocker(b activity.Blocker) string {
	if b.PID == 0 {
		return "a prepared transaction"
	}
	who := []string{b.User}
	switch {
	case strings.HasPrefix(b.ApplicationName, labelPrefix(u.labels.run)):
		who = append(who, "the app")
	case b.ApplicationName != "":
		who = append(who, u.access().settings.Scrub(oneLine(b.ApplicationName)))
	}
	who = slices.DeleteFunc(who, func(s string) bool { return s == "" })
	text := fmt.Sprintf("server process %d (%s)", b.PID, strings.Join(who, ", "))
	if b.State == "" {
		return text + ", of a role whose sessions this one may not look at"
	}
	text += fmt.Sprintf(", %s for %s", b.State, b.For)
	if b.Query != "" {
		text += ": " + u.access().settings.Scrub(b.Query)
	}
	return text
}

// terminateIt says what may be done about a blocker.
func terminateIt(b activity.Blocker) string {
	if b.PID == 0 {
		return "end it with COMMIT PREPARED or ROLLBACK PREPARED: select gid, database from pg_prepared_xacts;"
	}
	return fmt.Sprintf("end that transaction, or in psql: select pg_terminate_backend(%d);", b.PID)
}
