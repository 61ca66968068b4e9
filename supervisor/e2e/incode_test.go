package e2e_test

import (
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// An app whose code has a password of its own, where the URL's is of no use, is served by
// its second start, which devguard asks for by itself; it is the last.
func TestPasswordInTheAppsCode(t *testing.T) {
	t.Parallel()
	s := database(t)
	stale := pgtest.Conn{User: dev.User, Database: dev.Database, Password: "stale"}
	d, dir := runCommand(t, "", []string{"DATABASE_URL=" + s.URL(stale), "PGAPP_PASSWORD=" + dbPassword, "PGAPP_PLANS=idle"})
	d.says("gen=1 failed: ")
	d.says("gen=2 found sessions=0 locks=0\n")
	d.says("gen=2 serves idle\n")
	restartByPage(t, dir, 2)
	d.says("gen=3 serves idle\n")
	d.stop()
	drains := 0
	for _, l := range d.since(0) {
		if l.Msg == "database" && l.str("mode") == "drain" {
			drains++
		}
	}
	if drains != 1 || d.count(0, "instance exited") != 3 {
		t.Errorf("%d lines\n%s", drains, d.log())
	}
}
