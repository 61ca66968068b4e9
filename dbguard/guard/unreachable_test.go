package guard

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestServerIsDown: an app that waits for its server retries after an error of the network
// and gives up over what a server says. Through devguard it meets the like of the first.
func TestServerIsDown(t *testing.T) {
	s, dev := server(t)
	g, _ := open(t, Options{Databases: auto(Database{})})
	led := through(t, g, 1, s.URL(dev))
	s.Stop(t)
	for name, url := range map[string]string{"direct": s.URL(dev), "through devguard": led} {
		var told *pgconn.PgError
		_, err := pgconn.Connect(t.Context(), url)
		if refused := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET); !refused || errors.As(err, &told) {
			t.Errorf("%s: pgx is told %v", name, err)
		}
		out, err := exec.Command("psql", "-c", "select 1", url).CombinedOutput()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%s: psql ends with %v: %s", name, err, out)
		}
	}
	s.StartAgain(t)
	recovers(t, led)
}
