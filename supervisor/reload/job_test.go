package reload

import "testing"

// A Ctrl-Z stops what has processes, or may have some soon, once at a time.
func TestSuspend(t *testing.T) {
	for name, tt := range map[string]struct {
		until string // a kind that is in flight
		gen   int
	}{"no app yet": {"build", 0}, "a start": {"start", 1}, "an app": {"ready", 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			for _, there := w.inFlight(tt.until); !there; _, there = w.inFlight(tt.until) {
				w.answer(w.flight[0], false)
			}
			w.step(Suspend{})
			w.step(Suspend{})
			e, _ := w.inFlight("job")
			if job, ok := e.(StopJob); !ok || job.Gen != tt.gen {
				t.Fatalf("%+v is to be stopped", e)
			}
			w.answer(e, false)
			if _, more := w.inFlight("job"); more {
				t.Error("one Ctrl-Z stops twice")
			}
			w.step(Suspend{})
			if _, again := w.inFlight("job"); !again {
				t.Error("the next Ctrl-Z does nothing")
			}
			w.end()
		})
	}
}

// It is for an app that takes its time to end, too.
func TestSuspendDuringTheEnd(t *testing.T) {
	w := served(t, Options{})
	w.step(Interrupt{})
	w.step(Suspend{})
	e, _ := w.inFlight("job")
	if job, ok := e.(StopJob); !ok || job.Gen != 1 {
		t.Errorf("%+v is to be stopped", e)
	}
	for !w.st.Snapshot().Done {
		w.answer(w.flight[0], false)
	}
}
