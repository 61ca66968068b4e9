package reload

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// A page changes while the app starts and goes back while a build runs that makes the same program:
// the app may have read the page in between.
func TestPageThatGoesBackIsReadAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		answered []string      // of the start, before the page changes
		after    time.Duration // the page changes so long after that
		lasts    time.Duration // and goes back so long after that
		op       change.Op
		env      bool
		again    bool // it is started again
	}{
		"while it is started":        {nil, 0, 0, change.Write, false, true},
		"before it is ready":         {[]string{"start"}, time.Hour, 0, change.Write, false, true},
		"just after it was ready":    {[]string{"start", "ready"}, soon / 2, 0, change.Write, false, true},
		"long after it was ready":    {[]string{"start", "ready"}, 2 * soon, 0, change.Write, false, false},
		"an env file":                {nil, 0, 0, change.Write, true, true},
		"a page that comes and goes": {[]string{"start"}, 0, time.Second, change.Create, false, true},
		"a lock that comes and goes": {[]string{"start"}, 0, 0, change.Create, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			w.now = w.now.Add(time.Hour)
			w.step(Restart{})
			for _, kind := range append([]string{"build", "check", "await", "stop", "drain"}, tt.answered...) {
				e, ok := w.inFlight(kind)
				if !ok {
					t.Fatalf("no %s in flight: %v", kind, w.flight)
				}
				w.answer(e, false)
			}
			w.editSource(2)
			w.now = w.now.Add(tt.after)
			w.step(Tick{})
			class := classify.Class{Runtime: !tt.env, Env: tt.env}
			set := func(d change.Digest) {
				w.change(change.Path{Name: "/page", Op: tt.op, Class: class}, func(s *change.Snapshot) {
					if tt.env {
						s.Env = d
					} else {
						s.Runtime = d
					}
				})
			}
			before := w.tree
			set(digest(2))
			w.pass(tt.lasts)
			if tt.env {
				set(before.Env)
			} else {
				set(before.Runtime)
			}
			w.editSource(1)
			w.calm()
			if got := len(w.starts) == 3; got != tt.again {
				t.Errorf("%d starts", len(w.starts))
			}
			w.end()
		})
	}
}
