package supervisor

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/reload"
)

// world is a loop with doers that only let time pass, in a bubble of synctest. A test
// replaces those that it is about, before run.
type world struct {
	t       *testing.T
	loop    loop
	opts    reload.Options
	changes chan change.Set
	signals chan os.Signal
	result  chan error // of the loop's run

	mu       sync.Mutex
	tree     change.Snapshot
	said     []reload.Log
	written  *Supervisor // whose log holds what is said against the contract of lines
	inFlight map[reload.ID]string
	exit     map[int]chan struct{} // of generations: closed when the main process is gone
	adopted  []string
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, changes: make(chan change.Set), signals: make(chan os.Signal, 4), result: make(chan error, 1),
		inFlight: map[reload.ID]string{}, exit: map[int]chan struct{}{},
		tree: change.Snapshot{Version: 1, Seq: 1, Source: change.Digest{1}, Shape: change.Digest{1}, Config: change.Digest{1}},
	}
	lines := logtest.Handler(t, slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.written = &Supervisor{Options: Options{Log: slog.New(lines)}, cfg: config.Default("/src")}
	w.loop = loop{changes: w.changes, signals: w.signals, doers: w.doers(), say: w.log, help: func() {}, reset: func() {}, refresh: func(bool) {}, showPage: func() {}, publish: func(reload.Snapshot) {}}
	return w
}

// doers take as long as the real ones on a small project, roughly.
func (w *world) doers() doers {
	return doers{
		list: func(e reload.List) doer {
			return w.doing("list", e.ID, 100*time.Millisecond, func(cut bool) reload.Event {
				if cut {
					return reload.Listed{ID: e.ID, Err: context.Canceled}
				}
				return reload.Listed{ID: e.ID, Snapshot: w.snapshot()}
			})
		},
		loadConfig: func(e reload.LoadConfig) doer {
			return w.doing("loadConfig", e.ID, time.Millisecond, func(bool) reload.Event {
				return reload.ConfigLoaded{ID: e.ID, Options: w.opts, Retires: true}
			})
		},
		runHook: func(e reload.RunHook) doer {
			return w.doing("runHook", e.ID, 200*time.Millisecond, func(bool) reload.Event {
				return reload.HookDone{ID: e.ID, Snapshot: w.snapshot()}
			})
		},
		build: func(e reload.Build) doer {
			return w.doing("build", e.ID, time.Second, func(cut bool) reload.Event {
				snap := w.snapshot()
				return reload.Built{ID: e.ID, Snapshot: snap, Binary: snap.Source, Path: "app", Took: time.Second, Cancelled: cut}
			})
		},
		verify: func(e reload.Verify) doer {
			return w.doing("verify", e.ID, time.Second, func(cut bool) reload.Event {
				snap := w.snapshot()
				return reload.Verified{ID: e.ID, Snapshot: snap, Binary: snap.Source, Cancelled: cut}
			})
		},
		check: func(e reload.Check) doer {
			return w.doing("check", e.ID, time.Millisecond, func(bool) reload.Event { return reload.Checked{ID: e.ID} })
		},
		start: func(e reload.Start) doer {
			w.mu.Lock()
			w.exit[e.Gen] = make(chan struct{})
			w.mu.Unlock()
			return w.doing("start", e.ID, 5*time.Millisecond, func(bool) reload.Event { return reload.Started{ID: e.ID, PID: 1000 + e.Gen} })
		},
		await: func(e reload.Await) doer {
			exit := w.exitOf(e.Gen)
			return w.counted("await", e.ID, func(ctx context.Context) reload.Event {
				select {
				case <-exit:
					return reload.Exited{ID: e.ID, Code: -1, Signal: "SIGTERM"}
				case <-ctx.Done():
					return reload.Exited{ID: e.ID, Code: -1, Cancelled: true}
				}
			})
		},
		awaitReady: func(e reload.AwaitReady) doer {
			return w.doing("awaitReady", e.ID, 50*time.Millisecond, func(cut bool) reload.Event {
				return reload.ReadyDone{ID: e.ID, Rule: "listening", Cancelled: cut}
			})
		},
		stop: func(e reload.Stop) doer {
			exit := w.exitOf(e.Gen)
			return w.doing("stop", e.ID, 20*time.Millisecond, func(cut bool) reload.Event {
				close(exit)
				return reload.Stopped{ID: e.ID, Killed: cut}
			})
		},
		drain: func(e reload.Drain) doer {
			return w.doing("drain", e.ID, 10*time.Millisecond, func(bool) reload.Event { return reload.Drained{ID: e.ID} })
		},
		forwardQuit:  func(e reload.ForwardQuit) doer { return w.beside("forwardQuit", e.ID) },
		stopJob:      func(e reload.StopJob) doer { return w.beside("stopJob", e.ID) },
		prepare:      func(e reload.Prepare) doer { return w.beside("prepare", e.ID) },
		closeRetired: func(e reload.CloseRetired) doer { return w.beside("closeRetired", e.ID) },
	}
}

func (w *world) beside(kind string, id reload.ID) doer {
	return w.doing(kind, id, 10*time.Millisecond, func(bool) reload.Event { return reload.BesideDone{ID: id} })
}

// doing is a doer that takes some time, or is cut short.
func (w *world) doing(kind string, id reload.ID, takes time.Duration, answer func(cut bool) reload.Event) doer {
	return w.counted(kind, id, func(ctx context.Context) reload.Event {
		select {
		case <-time.After(takes):
			return answer(false)
		case <-ctx.Done():
			return answer(true)
		}
	})
}

// counted keeps what is in flight.
func (w *world) counted(kind string, id reload.ID, do doer) doer {
	w.mu.Lock()
	w.inFlight[id] = kind
	w.mu.Unlock()
	return func(ctx context.Context) reload.Event {
		defer func() {
			w.mu.Lock()
			delete(w.inFlight, id)
			w.mu.Unlock()
		}()
		return do(ctx)
	}
}

func (w *world) exitOf(gen int) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exit[gen]
}

func (w *world) log(l reload.Log) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, l)
	w.written.log(l)
}

// adopts returns what an answer brings, which is nothing but its name.
func (w *world) adopts(name string) func() {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.adopted = append(w.adopted, name)
	}
}

// snapshot is the tree as it is now.
func (w *world) snapshot() change.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tree.Version++
	snap := w.tree
	snap.Hooks = slices.Clone(snap.Hooks)
	return snap
}

// run starts the loop.
func (w *world) run() {
	if len(w.tree.Hooks) < len(w.opts.Hooks) {
		w.tree.Hooks = make([]change.HookState, len(w.opts.Hooks))
	}
	go func() { w.result <- w.loop.run(reload.New(w.opts)) }()
}

// serve starts the loop and waits until its first generation is ready.
func (w *world) serve() {
	w.t.Helper()
	w.run()
	w.await(reload.LogInstanceReady, 1)
	synctest.Wait()
}

// edit changes the tree and tells the loop.
func (w *world) edit(apply func(*change.Snapshot)) {
	w.mu.Lock()
	w.tree.Seq++
	apply(&w.tree)
	w.mu.Unlock()
	w.changes <- change.Set{Snapshot: w.snapshot(), At: time.Now(), Paths: []change.Path{{Name: "/src/a.go", Op: change.Write}}}
}

func (w *world) editSource(n byte) {
	w.edit(func(s *change.Snapshot) { s.Source = change.Digest{n} })
}

func (w *world) editConfig(n byte) {
	w.edit(func(s *change.Snapshot) { s.Config = change.Digest{n} })
}

// lines are those with a meaning, in order.
func (w *world) lines(what reload.What) []reload.Log {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.said), func(l reload.Log) bool { return l.What != what })
}

// await lets time go by until there are n such lines; an hour, of the bubble's, is more
// than anything takes.
func (w *world) await(what reload.What, n int) {
	w.t.Helper()
	for end := time.Now().Add(time.Hour); time.Now().Before(end); <-time.After(time.Millisecond) {
		if len(w.lines(what)) >= n {
			return
		}
	}
	w.t.Fatalf("line %d does not come; in flight: %v", what, w.flying())
}

// flying returns the kinds of what is in flight, sorted.
func (w *world) flying() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Values(w.inFlight))
}

// interrupt is one Ctrl-C.
func (w *world) interrupt() { w.signals <- syscall.SIGINT }

// end waits for the end of the loop, and returns how long that took.
func (w *world) end() time.Duration {
	w.t.Helper()
	began := time.Now()
	select {
	case err := <-w.result:
		if err != nil {
			w.t.Errorf("ended with %v", err)
		}
	case <-time.After(24 * time.Hour):
		w.t.Fatalf("does not end; in flight: %v", w.flying())
	}
	if left := w.flying(); len(left) > 0 {
		w.t.Errorf("ended, and in flight are %v", left)
	}
	for gen, exit := range w.exit {
		select {
		case <-exit:
		default:
			w.t.Errorf("ended, and generation %d lives", gen)
		}
	}
	return time.Since(began)
}
