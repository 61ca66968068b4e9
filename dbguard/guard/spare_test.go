package guard

import "testing"

// TestSpareOnItsWayIsWaitedFor: a client that comes while the session dialled ahead
// for it is still being opened gets that one, and no second is opened.
func TestSpareOnItsWayIsWaitedFor(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	run(t, connection(t, through(t, g, 1, s.URL(dev))), "select 1")
	for gen := 2; gen < 12; gen++ {
		next := connection(t, through(t, g, gen, s.URL(dev)))
		run(t, next, "select 1")
		if n := s.Query(t, "select count(*) from pg_stat_activity where application_name = '"+label(runA, gen)+"'")[0][0]; n != "1" {
			t.Errorf("%s sessions for one client", n)
		}
		g.Drain(t.Context(), gen-1)
	}
}
