package ready

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// haltedUntil makes a target that nobody listens for, and that a debugger has stopped until then.
func haltedUntil(end time.Time) Target {
	t := target()
	t.Untaken = func(netip.AddrPort) bool { return true } // nothing is dialled
	t.RunsSince = func() (time.Time, bool) { return end, !time.Now().Before(end) }
	return t
}

// TestTimeoutWhileHalted: whoever stands at a breakpoint in main has not failed to start.
func TestTimeoutWhileHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Wait(t.Context(), Rule{TCP: "127.0.0.1:8080", Timeout: 10 * time.Second}, haltedUntil(began.Add(time.Minute)))
		var late *TimeoutError
		if !errors.As(err, &late) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(began); took < time.Minute+10*time.Second || took > time.Minute+11*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestAliveWhileHalted: a second at a breakpoint is no second alive.
func TestAliveWhileHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		res, err := Wait(t.Context(), Rule{}, haltedUntil(began.Add(90*time.Second)))
		if err != nil || res.Rule != "alive" || res.Took < 91*time.Second {
			t.Errorf("got %+v, %v", res, err)
		}
	})
}
