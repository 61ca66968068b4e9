package ready

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestListens: a socket is seen when the instance is said to listen, and not at the next look of those
// that are made anyway, which is up to 100 ms later by then.
func TestListens(t *testing.T) {
	for _, rule := range []Rule{{}, {TCP: "127.0.0.1:1"}, {HTTP: "/"}} {
		synctest.Test(t, func(t *testing.T) {
			looked := make(chan time.Duration, 1000)
			began := time.Now()
			listens := make(chan struct{}, 1)
			tg := Target{
				Started: began, Alive: time.Minute, Listens: listens,
				Listening: func() []netip.AddrPort { looked <- time.Since(began); return nil },
				Untaken:   func(netip.AddrPort) bool { looked <- time.Since(began); return true },
			}
			at := 10*time.Second + 7*time.Microsecond
			go func() {
				time.Sleep(at)
				listens <- struct{}{}
			}()
			rule.Timeout = 11 * time.Second
			if _, err := Wait(t.Context(), rule, tg); err == nil {
				t.Error("it is ready")
			}
			close(looked)
			for d := range looked {
				if d == at {
					return
				}
			}
			t.Errorf("%+v: no look at %v", rule, at)
		})
	}
}
