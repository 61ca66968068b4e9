package reload

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// until answers everything well until so many generations were found ready.
func (w *world) until(generations int) {
	w.t.Helper()
	for range 200 {
		if w.said(LogInstanceReady) >= generations {
			return
		}
		w.pass(10 * time.Millisecond)
		for _, e := range w.flight {
			if a, ok := e.(Await); !ok || w.exiting(a) {
				w.answer(e, false)
				break
			}
		}
	}
	w.t.Fatalf("generation %d never comes; in flight: %v", generations, w.flight)
}

func (w *world) exiting(a Await) bool {
	s, ok := w.inFlight("stop")
	return ok && s.(Stop).Gen == a.Gen
}

// looping returns a world whose app has written name at each start, until that was said.
func looping(t *testing.T, opts Options, name string) *world {
	t.Helper()
	w := served(t, opts)
	w.now = w.now.Add(time.Minute)
	w.step(Restart{})
	w.until(2)
	for gen := 2; w.said(LogRestartSuspended) == 0; gen++ {
		if gen > 10 {
			t.Fatal("it goes on for ever")
		}
		w.until(gen)
		w.pass(100 * time.Millisecond)
		w.write(name, uint64(1000+gen))
	}
	return w
}

func TestFileThatTheAppWritesIsSuspended(t *testing.T) {
	for name, opts := range map[string]Options{"package": {}, "command": {Command: true}} {
		t.Run(name, func(t *testing.T) {
			w := looping(t, opts, "/dump.sql")
			if n := len(w.starts); n != 2+maxRestarts {
				t.Errorf("%d starts", n)
			}
			w.write("/dump.sql", 1)
			w.pass(firstPause - time.Second)
			if n := len(w.starts); n != 2+maxRestarts || w.said(LogRestartSuspended) != 1 {
				t.Errorf("%d starts, said %d times", n, w.said(LogRestartSuspended))
			}
			w.end()
		})
	}
}

// What an app writes that exits at once is often told of after its end.
func TestFileOfAnAppThatExitsFirstIsSuspended(t *testing.T) {
	for _, during := range []string{"stop", "drain"} {
		t.Run(during, func(t *testing.T) {
			w := served(t, Options{Command: true})
			w.now = w.now.Add(time.Minute)
			w.step(Restart{})
			for gen := 2; w.said(LogRestartSuspended) == 0 && gen < 12; gen++ {
				w.until(gen)
				for _, kind := range []string{"await", "stop"} {
					if e, ok := w.inFlight(kind); ok && during != kind {
						w.answer(e, false)
					}
				}
				if _, ok := w.inFlight(during); !ok {
					t.Fatalf("no %s in flight: %v", during, w.flight)
				}
				w.write("/app.log", uint64(1000+gen))
			}
			if n := len(w.starts); n != 2+maxRestarts {
				t.Errorf("%d starts", n)
			}
			w.end()
		})
	}
}

// What never rests is taken up all the same, after a pause that grows.
func TestSuspendedFileIsTakenInAGrowingWhile(t *testing.T) {
	w := looping(t, Options{}, "/dump.sql")
	var gaps []time.Duration
	last, n := w.now, uint64(5000)
	for gen := len(w.starts); len(gaps) < 4; {
		n++
		w.write("/dump.sql", n)
		w.pass(100 * time.Millisecond)
		for _, e := range w.flight {
			if a, ok := e.(Await); !ok || w.exiting(a) {
				w.answer(e, false)
				break
			}
		}
		if len(w.starts) > gen {
			gen = len(w.starts)
			gaps, last = append(gaps, w.now.Sub(last).Truncate(5*time.Second)), w.now
		}
	}
	for i, want := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause, 8 * firstPause} {
		if gaps[i] != want {
			t.Errorf("taken after %v", gaps)
			break
		}
	}
	if w.said(LogRestartSuspended) != 1 {
		t.Errorf("said %d times", w.said(LogRestartSuspended))
	}
	w.end()
}

func TestEditElsewhereIsServedBesideASuspendedFile(t *testing.T) {
	for name, edit := range map[string]func(*world){
		"source":      func(w *world) { w.editSource(2) },
		"other file":  func(w *world) { w.write("/index.html", 2) },
		"environment": func(w *world) { w.edit("/.env", func(s *change.Snapshot) { s.Env = digest(2) }) },
		"key r":       func(w *world) { w.step(Restart{}) },
		"replace":     func(w *world) { w.step(Replace{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := looping(t, Options{}, "/dump.sql")
			before := len(w.starts)
			edit(w)
			w.until(before + 1)
			if w.st.inst.made.runtime != w.tree.Runtime {
				t.Error("it does not have what the suspended file is now")
			}
			w.pass(100 * time.Millisecond)
			w.write("/dump.sql", 3)
			w.pass(time.Second)
			if n := len(w.starts); n != before+1 || w.said(LogRestartSuspended) != 1 {
				t.Errorf("%d starts after %d, said %d times", n, before, w.said(LogRestartSuspended))
			}
			w.end()
		})
	}
}

// Once it has rested it is a file like any other: no save is lost, and none waits.
func TestSuspendedFileThatHasRested(t *testing.T) {
	w := looping(t, Options{}, "/dump.sql")
	before := len(w.starts)
	w.calm() // its last change is taken up
	if n := len(w.starts); n != before+1 || w.st.inst.made.runtime != w.tree.Runtime {
		t.Fatalf("the last change is not served: %d starts", n)
	}
	w.pass(time.Minute)
	w.write("/dump.sql", 2)
	w.pass(10 * time.Millisecond)
	if _, ok := w.inFlight("check"); !ok {
		t.Error("an edit of a file that has rested waits")
	}
	w.end()
}

// A crash after each write must not be forgiven for the sake of that write.
func TestSuspendedFileOfAnAppThatCrashes(t *testing.T) {
	w := looping(t, Options{RestartOnCrash: true}, "/dump.sql")
	w.st.inst.crashes = 3
	w.write("/dump.sql", 2)
	if w.st.inst.crashes != 3 {
		t.Error("the back-off begins anew")
	}
	w.end()
}

func TestWhatIsNoLoop(t *testing.T) {
	html := classify.Class{Runtime: true}
	for name, tt := range map[string]struct {
		after  time.Duration // the change comes so long after the app is ready
		class  classify.Class
		files  []string // in turn
		beside string   // is edited now and then, and ignored
	}{
		"somebody who looks first": {soon + time.Second, html, []string{"/a.html"}, ""},
		"Go source":                {100 * time.Millisecond, classify.Class{Source: true, Role: classify.GoFile}, []string{"/a.go"}, ""},
		"an embedded file":         {100 * time.Millisecond, classify.Class{Source: true, Role: classify.Embedded}, []string{"/a.sql"}, ""},
		"an output of a hook":      {100 * time.Millisecond, classify.Class{Runtime: true, Outputs: []int{0}}, []string{"/a.css"}, ""},
		"two files and an edit":    {100 * time.Millisecond, html, []string{"/a.html", "/a.html", "/last.go"}, ""},
		"a test file beside it":    {100 * time.Millisecond, html, []string{"/a.html"}, "/a_test.go"},
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			for i := range 12 {
				w.pass(tt.after)
				if tt.beside != "" && i%3 == 2 {
					w.step(Changed{change.Set{Snapshot: w.snap(), At: w.now, Ignored: []change.Path{{Name: tt.beside, Op: change.Chmod}}}})
				}
				file, class := tt.files[i%len(tt.files)], tt.class
				if file == "/last.go" {
					class = classify.Class{Source: true}
				}
				w.change(change.Path{Name: file, Op: change.Write, Class: class}, func(s *change.Snapshot) {
					s.Runtime, s.Source, s.Seq = digest(uint64(i+10)), digest(uint64(i+10)), s.Seq+1
				})
				w.until(i + 2)
			}
			if w.said(LogRestartSuspended) > 0 {
				t.Error("suspended")
			}
			w.end()
		})
	}
}
