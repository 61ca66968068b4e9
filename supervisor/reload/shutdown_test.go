package reload

import (
	"testing"
	"time"
)

// Who starts devguard passes on a Ctrl-C that the terminal has delivered already: what comes right
// behind an interrupt is the same one. A second press kills, and its own echo does nothing more.
func TestEchoOfAnInterrupt(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		after []time.Duration // of the interrupts behind the first
		kills bool
	}{
		"once":                         {nil, false},
		"twice within milliseconds":    {[]time.Duration{3 * ms}, false},
		"npm and then concurrently":    {[]time.Duration{3 * ms, 100 * ms, 480 * ms}, false},
		"pressed again":                {[]time.Duration{onePress}, true},
		"a key that is held down":      {[]time.Duration{100 * ms, 200 * ms, 300 * ms, 400 * ms, 600 * ms}, true},
		"pressed again, with its echo": {[]time.Duration{3 * ms, 900 * ms, 903 * ms}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			first := w.now
			w.step(Interrupt{})
			s, _ := w.inFlight("stop")
			for _, d := range tt.after {
				w.pass(first.Add(d).Sub(w.now))
				w.step(Interrupt{})
			}
			if w.canceled[idOf(s)] != tt.kills {
				t.Errorf("killed: %v", !tt.kills)
			}
			w.end()
		})
	}
}

// The echo of the press that kills does not cut short the drain that follows; a third press does.
func TestEchoOfTheSecondInterrupt(t *testing.T) {
	w := served(t, Options{})
	w.step(Interrupt{})
	w.pass(time.Second)
	w.step(Interrupt{})
	for _, kind := range []string{"await", "stop"} {
		e, _ := w.inFlight(kind)
		w.answer(e, false)
	}
	d, ok := w.inFlight("drain")
	w.step(Interrupt{})
	if !ok || w.canceled[idOf(d)] {
		t.Error("the echo cuts the drain short")
	}
	w.pass(time.Second)
	w.step(Interrupt{})
	if !w.canceled[idOf(d)] {
		t.Error("the third press does not cut the drain short")
	}
	w.end()
}

// With the terminal, the app is ended by the Ctrl-C; what passes it on reaches devguard.
func TestEchoOfAnInterruptOfTheApp(t *testing.T) {
	w := served(t, Options{})
	a, _ := w.inFlight("await")
	w.flight = w.flight[:w.find(idOf(a))]
	w.step(Exited{ID: idOf(a), Code: -1, Signal: "SIGINT", Interrupt: true})
	s, ok := w.inFlight("stop")
	w.step(Interrupt{})
	if !ok || w.canceled[idOf(s)] {
		t.Error("what is left of the app has no grace")
	}
	w.end()
}

// TestLastStop: a stop knows whether another generation follows it.
func TestLastStop(t *testing.T) {
	w := served(t, Options{})
	w.write("/page", 7)
	w.pass(time.Second)
	if e, ok := w.inFlight("check"); ok {
		w.answer(e, false)
	}
	if e, ok := w.inFlight("stop"); !ok || e.(Stop).Last {
		t.Errorf("for a restart: %+v", e)
	}
	w.calm()
	w.step(Interrupt{})
	if e, ok := w.inFlight("stop"); !ok || !e.(Stop).Last {
		t.Errorf("at the end: %+v", e)
	}
}
