package activity

import (
	"context"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// A lock of a prepared transaction, and one of a role that the asking one may not look at.
func TestBlocking(t *testing.T) {
	s := pgtest.Start(t, pgtest.Set("max_prepared_transactions", "2"))
	s.CreateRole(t, "bob", "pw", "")
	s.CreateRole(t, "eve", "pw", "")
	me := open(t, s, "bob", "asker")
	eve, prepared := open(t, s, "eve", "psql"), open(t, s, "bob", "psql")
	run(t, eve, "select pg_advisory_lock(1)")
	run(t, prepared, "begin; select pg_advisory_xact_lock(2); prepare transaction 'x'")
	s.Exec(t, "select pg_sleep(0.2)")
	begun := time.Now()
	s.Exec(t, "select pg_sleep(0.2)")
	var ended []chan struct{}
	for _, sql := range []string{"select pg_advisory_lock(1)", "select pg_advisory_lock(2)", "select pg_advisory_lock(2)"} {
		waiting, over := open(t, s, "bob", "migrate"), make(chan struct{})
		ended = append(ended, over)
		go func() {
			defer close(over)
			_, _ = waiting.Exec(context.WithoutCancel(t.Context()), sql).ReadAll()
		}()
	}
	for s.Query(t, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")[0][0] != "3" {
	}
	list, err := Blocking(t.Context(), me, time.Since(begun), nil)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if b := list[0]; b != (Blocker{}) {
		t.Errorf("a prepared transaction: %+v", b)
	}
	if b := list[1]; uint32(b.PID) != eve.PID() || b.User != "eve" || b.State != "" || b.Query != "" {
		t.Errorf("another role's: %+v", b)
	}
	run(t, me, "rollback prepared 'x'")
	run(t, eve, "select pg_advisory_unlock(1)")
	s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'migrate'")
	for _, over := range ended {
		<-over
	}
}
