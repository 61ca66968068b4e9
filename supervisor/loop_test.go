package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/reload"
)

func TestSaveIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve()
		saved := time.Now()
		w.editSource(2)
		w.await(reload.LogInstanceReady, 2)
		if took := time.Since(saved); took > 1200*time.Millisecond {
			t.Errorf("served %v after the save", took)
		}
		w.interrupt()
		w.end()
	})
}

// panicking returns doers of which one panics, each time.
func panicking(d doers, kind string) doers {
	bug := func(context.Context) reload.Event { panic("the " + kind + " is lost") }
	switch kind {
	case "list":
		d.list = func(reload.List) doer { return bug }
	case "loadConfig":
		d.loadConfig = func(reload.LoadConfig) doer { return bug }
	case "runHook":
		d.runHook = func(reload.RunHook) doer { return bug }
	case "build":
		d.build = func(reload.Build) doer { return bug }
	case "check":
		d.check = func(reload.Check) doer { return bug }
	case "start":
		d.start = func(reload.Start) doer { return bug }
	case "await":
		d.await = func(reload.Await) doer { return bug }
	case "awaitReady":
		d.awaitReady = func(reload.AwaitReady) doer { return bug }
	case "stop":
		stop := d.stop
		d.stop = func(e reload.Stop) doer {
			return func(ctx context.Context) reload.Event { stop(e)(ctx); return bug(ctx) }
		}
	case "drain":
		d.drain = func(reload.Drain) doer { return bug }
	case "forwardQuit":
		d.forwardQuit = func(reload.ForwardQuit) doer { return bug }
	case "stopJob":
		d.stopJob = func(reload.StopJob) doer { return bug }
	case "prepare":
		d.prepare = func(reload.Prepare) doer { return bug }
	case "closeRetired":
		d.closeRetired = func(reload.CloseRetired) doer { return bug }
	}
	return d
}

// A bug in one doer is said with its text, once for each time, and devguard goes on and
// ends.
func TestPanicOfADoerIsAnsweredWithItsText(t *testing.T) {
	for _, kind := range []string{
		"list", "loadConfig", "runHook", "build", "check", "start", "await", "awaitReady", "stop", "drain",
		"forwardQuit", "stopJob", "prepare", "closeRetired",
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.opts.Hooks = []reload.Hook{{Name: "gen"}}
				w.loop.doers = panicking(w.loop.doers, kind)
				w.run()
				time.Sleep(10 * time.Second)
				w.signals <- syscall.SIGQUIT
				w.signals <- syscall.SIGTSTP
				w.edit(func(s *change.Snapshot) { s.Hooks = []change.HookState{{Watch: change.Digest{2}}} })
				time.Sleep(10 * time.Second)
				w.editSource(2)
				time.Sleep(10 * time.Second)
				w.editConfig(2)
				time.Sleep(10 * time.Second)
				w.interrupt()
				w.end()
				text := "BUG in devguard, please report: the " + kind + " is lost\n"
				if !slices.ContainsFunc(w.said, func(l reload.Log) bool { return l.Err != nil && strings.HasPrefix(l.Err.Error(), text) }) {
					t.Errorf("none of %d lines has %q", len(w.said), text)
				}
			})
		})
	}
}

// Whatever is in flight when the user ends devguard is told to end, and waited for.
func TestShutdownWithEverythingInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := func(kind string, id reload.ID) doer {
			return w.counted(kind, id, func(context.Context) reload.Event {
				time.Sleep(time.Minute) // takes no notice of being cancelled
				return reload.BesideDone{ID: id}
			})
		}
		w.loop.doers.prepare = func(e reload.Prepare) doer { return slow("prepare", e.ID) }
		w.loop.doers.forwardQuit = func(e reload.ForwardQuit) doer { return slow("forwardQuit", e.ID) }
		w.loop.doers.list = func(e reload.List) doer {
			return w.doing("list", e.ID, time.Duration(e.ID)*time.Hour-59*time.Minute, func(cut bool) reload.Event {
				return reload.Listed{ID: e.ID, Snapshot: w.snapshot()}
			})
		}
		build := w.loop.doers.build
		w.loop.doers.build = func(e reload.Build) doer {
			if e.Gen == 1 {
				return build(e)
			}
			return w.doing("build", e.ID, time.Hour, func(cut bool) reload.Event { return reload.Built{ID: e.ID, Cancelled: cut} })
		}
		w.serve()
		w.signals <- syscall.SIGQUIT
		w.edit(func(s *change.Snapshot) { s.Source, s.Shape = change.Digest{2}, change.Digest{2} })
		time.Sleep(time.Second)
		if got, want := w.flying(), []string{"await", "build", "forwardQuit", "list", "prepare"}; !slices.Equal(got, want) {
			t.Fatalf("in flight are %q, want %q", got, want)
		}
		w.interrupt()
		if took := w.end(); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// The end of devguard at every millisecond of a start, an edit and a new configuration.
func TestShutdownAtAnyMoment(t *testing.T) {
	moment := func(after time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.opts.Hooks = []reload.Hook{{Name: "gen"}}
			w.run()
			end := time.After(after)
			ended := func(d time.Duration) bool {
				select {
				case <-time.After(d):
					return false
				case <-end:
					return true
				}
			}
			for _, edit := range []func(*change.Snapshot){
				func(s *change.Snapshot) { s.Source = change.Digest{2} },
				func(s *change.Snapshot) {
					s.Hooks = []change.HookState{{Watch: change.Digest{2}}}
					s.Shape = change.Digest{2}
				},
				func(s *change.Snapshot) { s.Config = change.Digest{2} },
			} {
				if ended(1300 * time.Millisecond) {
					break
				}
				w.edit(edit)
			}
			w.interrupt()
			if took := w.end(); took > time.Second {
				t.Errorf("interrupted after %v: it took %v", after, took)
			}
		})
	}
	for ms := range 5200 / 13 {
		moment(time.Duration(ms*13) * time.Millisecond)
	}
}

// The second interrupt ends the grace that the app has been given; what comes in one go with the
// first does not.
func TestTwoInterrupts(t *testing.T) {
	for name, tt := range map[string]struct {
		between time.Duration
		kills   bool
	}{"in one go": {0, false}, "100 ms later": {100 * time.Millisecond, false}, "a second later": {time.Second, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				killed := make(chan bool, 1)
				w.loop.doers.stop = func(e reload.Stop) doer {
					return w.doing("stop", e.ID, time.Hour, func(cut bool) reload.Event {
						killed <- cut
						close(w.exitOf(e.Gen))
						return reload.Stopped{ID: e.ID, Killed: cut}
					})
				}
				w.serve()
				w.interrupt()
				time.Sleep(tt.between)
				w.interrupt()
				if took := w.end(); took > 100*time.Millisecond && tt.kills {
					t.Errorf("it took %v", took)
				}
				if <-killed != tt.kills {
					t.Errorf("it was killed: %v", !tt.kills)
				}
			})
		})
	}
}

// The app may have begun its work before its start could be cancelled.
func TestTwoInterruptsDuringAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		killed := make(chan bool, 1)
		start := w.loop.doers.start
		w.loop.doers.start = func(e reload.Start) doer {
			do := start(e)
			return func(context.Context) reload.Event {
				w.interrupt()
				time.Sleep(time.Second)
				w.interrupt()
				time.Sleep(time.Second)
				return do(context.Background())
			}
		}
		w.loop.doers.stop = func(e reload.Stop) doer {
			return w.doing("stop", e.ID, time.Hour, func(cut bool) reload.Event {
				killed <- cut
				close(w.exitOf(e.Gen))
				return reload.Stopped{ID: e.ID, Killed: cut}
			})
		}
		w.run()
		w.end()
		if !<-killed {
			t.Error("it was not killed")
		}
	})
}

// A SIGQUIT is for the app, also for one that hangs in its shutdown.
func TestQuitIsForwarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gens := make(chan int, 9)
		forward := w.loop.doers.forwardQuit
		w.loop.doers.forwardQuit = func(e reload.ForwardQuit) doer {
			gens <- e.Gen
			return forward(e)
		}
		w.run()
		w.signals <- syscall.SIGQUIT // there is no app yet
		w.await(reload.LogInstanceReady, 1)
		w.signals <- syscall.SIGQUIT
		w.editSource(2)
		w.await(reload.LogInstanceReady, 2)
		w.interrupt()
		w.signals <- syscall.SIGQUIT
		w.end()
		close(gens)
		var got []int
		for gen := range gens {
			got = append(got, gen)
		}
		if !slices.Equal(got, []int{1, 2}) {
			t.Errorf("forwarded to %v, want generations 1 and 2", got)
		}
	})
}

// Answers come in any order: one that is not awaited any more changes nothing, and what
// it brings is dropped.
func TestListingThatIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := 0
		w.loop.doers.list = func(e reload.List) doer {
			n++
			name := fmt.Sprint("listing ", n)
			takes := 100 * time.Millisecond
			if n == 2 {
				takes = time.Minute // the go command does not hear that it was cancelled
			}
			return w.counted("list", e.ID, func(context.Context) reload.Event {
				snap := w.snapshot()
				time.Sleep(takes)
				return reload.Listed{ID: e.ID, Snapshot: snap, Brings: w.adopts(name)}
			})
		}
		w.serve()
		w.edit(func(s *change.Snapshot) { s.Shape = change.Digest{2} })
		time.Sleep(time.Second)
		w.editConfig(2) // another package
		w.await(reload.LogInstanceReady, 2)
		time.Sleep(2 * time.Minute)
		if want := []string{"listing 1", "listing 3"}; !slices.Equal(w.adopted, want) {
			t.Errorf("adopted %q, want %q", w.adopted, want)
		}
		w.interrupt()
		w.end()
	})
}

// The end of the main process and of its tree are told by two doers.
func TestStopAndExitInAnyOrder(t *testing.T) {
	for name, late := range map[string]struct{ exit, stop time.Duration }{
		"exit first": {0, time.Second}, "stop first": {time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				d := w.loop.doers
				after := func(do doer, wait time.Duration) doer {
					return func(ctx context.Context) reload.Event {
						ev := do(ctx)
						time.Sleep(wait)
						return ev
					}
				}
				w.loop.doers.await = func(e reload.Await) doer { return after(d.await(e), late.exit) }
				w.loop.doers.stop = func(e reload.Stop) doer { return after(d.stop(e), late.stop) }
				w.serve()
				w.editSource(2)
				w.await(reload.LogInstanceReady, 2)
				w.interrupt()
				w.end()
				if n := len(w.lines(reload.LogInstanceExited)); n != 2 {
					t.Errorf("%d generations have exited, want 2", n)
				}
			})
		})
	}
}

// A terminal that takes nothing, as after Ctrl-S, delays neither a save nor the end, not
// even once as many lines wait for it as may.
func TestTerminalThatTakesNothing(t *testing.T) {
	life := func(t *testing.T, terminal io.Writer) (took time.Duration, closing error) {
		began := time.Now()
		lines := func(w io.Writer) *slog.Logger { return slog.New(logtest.Handler(t, slog.NewTextHandler(w, nil))) }
		screen := console.NewScreen(terminal, true, lines)
		s := &Supervisor{Options: Options{Log: lines(screen), Screen: screen}, cfg: config.Default("/src")}
		w := newWorld(t)
		keys := make(chan rune)
		w.loop.say, w.loop.keys = func(l reload.Log) { w.log(l); s.log(l) }, keys
		w.loop.help = s.help
		w.serve()
		for range 5000 {
			s.warn(errors.New("nobody reads this"))
		}
		keys <- '?'
		w.editSource(2)
		w.await(reload.LogInstanceReady, 2)
		w.interrupt()
		w.end()
		took = time.Since(began)
		return took, screen.Close()
	}
	synctest.Test(t, func(t *testing.T) {
		want, _ := life(t, io.Discard)
		nobody, terminal := io.Pipe()
		got, closing := life(t, terminal)
		if (got-want).Abs() > 10*time.Millisecond || closing == nil {
			t.Errorf("it took %v, at a good terminal %v; the rest of the log: %v", got, want, closing)
		}
		nobody.Close() // ends the write that still waits
	})
}

// A closed channel is always ready: the loop must not come back to it.
func TestKeysOfATerminalThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		keys := make(chan rune)
		w.loop.keys = keys
		w.serve()
		close(keys)
		synctest.Wait() // would never return if the loop were spinning
		w.interrupt()
		w.end()
	})
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		keys, helped, reset, shown := make(chan rune), make(chan bool, 1), make(chan bool, 1), make(chan bool, 1)
		w.loop.keys, w.loop.help, w.loop.reset = keys, func() { helped <- true }, func() { reset <- true }
		w.loop.showPage = func() { shown <- true }
		w.serve()
		keys <- '?'
		<-helped
		keys <- 'd'
		<-reset
		keys <- 'o'
		<-shown
		keys <- 'x'
		keys <- 'r'
		w.await(reload.LogInstanceReady, 2)
		keys <- 'q'
		w.end()
	})
}

// The end of devguard's context is like one Ctrl-C, and no more than one.
func TestEndOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ended, killed := make(chan struct{}), make(chan bool, 1)
		w.loop.ended = ended
		w.loop.doers.stop = func(e reload.Stop) doer {
			return w.doing("stop", e.ID, time.Second, func(cut bool) reload.Event {
				killed <- cut
				close(w.exitOf(e.Gen))
				return reload.Stopped{ID: e.ID, Killed: cut}
			})
		}
		w.serve()
		close(ended)
		w.end()
		if <-killed {
			t.Error("the app had no grace")
		}
	})
}
