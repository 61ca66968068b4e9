package guard

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestDrainIsDialledAhead: the look whether the next generation can be started dials the session of the
// drain, which is used then.
func TestDrainIsDialledAhead(t *testing.T) {
	s, dev := server(t)
	env := []string{"DATABASE_URL=" + s.URL(dev)}
	g, log := open(t, Options{Env: env})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, env...), "idle")
	appEnv(t, g, 2, env...)
	awaitDial(t, g)
	ahead := g.upstreams.all()[0].forDrain.dial
	g.RecordSockets(1, []int{a.pid()})
	if now := g.upstreams.all()[0].forDrain.dial; now != ahead || now.err != nil {
		t.Errorf("dialled again at the stop: %v", now.err)
	}
	a.kill()
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); number(line, "left") != 0 || line["reason"] != nil {
		t.Errorf("drained: %v", line)
	}
	if g.upstreams.all()[0].forDrain.dial != nil {
		t.Error("the session is still kept for a drain")
	}
}

// TestADialThatFailedIsMadeAgain: at the stop signal, when the server is there again.
func TestADialThatFailedIsMadeAgain(t *testing.T) {
	f := &forDrain{}
	failed := f.expect()
	if f.expect() != nil {
		t.Error("two dials at a time")
	}
	close(failed.done) // with its err as it was made
	if again := f.expect(); again == nil || again == failed {
		t.Error("the one that failed stays")
	}
}

// TestDrainDialsAgain: what a dial ahead has failed by may be over when the app has ended.
func TestDrainDialsAgain(t *testing.T) {
	s, dev := server(t)
	env := []string{"DATABASE_URL=" + s.URL(dev)}
	g, log := open(t, Options{Env: env})
	settle(t, g)
	a := startApp(t, appEnv(t, g, 1, env...), "idle")
	failed := g.upstreams.all()[0].forDrain.expect()
	a.kill()
	close(failed.done) // with its err as it was made
	g.Drain(t.Context(), 1)
	if line := log.last(t, "drained"); line["reason"] != nil || number(line, "left") != 0 {
		t.Errorf("drained: %v", line)
	}
}

// TestADialIsNotKeptForLong: a start that did not come about must not leave a session behind.
func TestADialIsNotKeptForLong(t *testing.T) {
	for name, taken := range map[string]bool{"nobody takes it": false, "a drain does": true} {
		synctest.Test(t, func(t *testing.T) {
			f := &forDrain{work: newBackground(t.Context())}
			d := f.expect()
			close(d.done)
			over := make(chan struct{})
			go func() {
				defer close(over)
				f.limit(d)
			}()
			if taken && f.take() != d {
				t.Errorf("%s: it is not there", name)
			}
			began := time.Now()
			<-over
			if kept := time.Since(began); taken != (kept == 0) || !taken && kept != spareLife {
				t.Errorf("%s: it is looked after for %v", name, kept)
			}
			if f.dial != nil {
				t.Errorf("%s: it is kept", name)
			}
		})
	}
}
