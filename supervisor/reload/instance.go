package reload

import (
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// The back-off after a crash: firstRetry, doubled up to maxRetry (numbers are a
// guess: the first is short enough not to be noticed, the last quiet enough to
// read the panic). A generation that lived for steady has not crashed in a row.
const (
	firstRetry = 500 * time.Millisecond
	maxRetry   = 8 * time.Second
	steady     = 10 * time.Second
)

// instance is the generation that runs, or the gap between two.
type instance struct {
	phase phase
	gen   int       // the newest generation started, also when it is gone
	made  made      // what that generation is made of
	from  int       // the generation that its binary was built for
	pid   int       // with running
	since time.Time // with running: when it was started
	saved time.Time // the save that it serves; zero if none
	retry time.Time // with crashed: when to start again

	check, start, await, ready, stop, drain ID // effects in flight

	crash   bool // with stopping and draining: it ended by itself, badly
	aborted bool // with starting: Start was cancelled
}

// made is what a generation was started with, to compare with what there is.
type made struct{ binary, runtime, env change.Digest }

type phase int

const (
	none     phase = iota // never started, or the start failed, or it ended by itself
	crashed               // like none, with a retry to come
	starting              // Start is in flight
	running
	stopping // Stop or Await is in flight
	draining // Drain is in flight
)

func (p phase) String() string {
	return [...]string{"none", "crashed", "starting", "running", "stopping", "draining"}[p]
}

// alive reports whether a process may exist or the database is being drained.
func (p phase) alive() bool { return p >= starting }

// quiet reports whether nothing is being replaced.
func (p phase) quiet() bool { return p == none || p == crashed || p == running }

// restartReason compares the running generation with what there is; saved is
// the save that asks. With false the text says why no restart is due.
func (m *machine) restartReason(saved time.Time) (string, bool) {
	gone := m.inst.phase != running && m.inst.phase != starting
	switch {
	case !m.opts.Command && m.binary.path == "":
		return "nothing is built yet", false
	case m.inst.gen == 0:
		return "nothing was started yet", true
	case gone && !saved.IsZero():
		return "nothing is running", true
	case m.force.restart:
		return "asked for", true
	case m.force.migrate:
		return "a migration ran", true
	case m.inst.made.binary != m.binary.digest:
		return "the program changed", true
	case m.inst.made.runtime != m.tree.Runtime:
		return "files read at run time changed", true
	case m.inst.made.env != m.tree.Env:
		return "an env file changed", true
	}
	return "the build produced the same program", false
}

// advanceInstance brings the instance towards what is due.
func (m *machine) advanceInstance() {
	switch m.inst.phase {
	case running:
		if m.swap && m.work.kind != hooking && m.inst.check == 0 {
			m.check()
		}
	case none:
		if m.swap && m.mayStart() {
			m.start()
		}
	case crashed:
		if m.mayStart() && (m.swap || !m.now.Before(m.inst.retry)) {
			m.start()
		}
	}
}

// mayStart reports whether a start would overlap nothing: not a hook, and,
// unless something new is ready, not a build that is about to replace it.
func (s State) mayStart() bool {
	if s.swap {
		return s.work.kind != hooking
	}
	return s.work.kind == idle
}

// startGen is the generation that a start now begins.
func (m *machine) startGen() int { return max(m.inst.gen+1, m.binary.gen) }

// check looks whether the due generation can be started: an env file that cannot
// be read, or a database of our own that does not come up, must not cost the app
// that runs.
func (m *machine) check() {
	gen := m.startGen()
	m.inst.check = m.issue(func(id ID) Effect { return Check{ID: id, Gen: gen, Binary: m.binary.path} })
}

// uncheck gives up a check: what it looked at is not what would be started.
func (m *machine) uncheck() {
	if m.inst.check != 0 {
		m.cancel(m.inst.check)
		m.inst.check = 0
	}
}

func (m *machine) checked(ev Checked) {
	if ev.ID != m.inst.check {
		return
	}
	m.inst.check = 0
	if ev.Err == nil {
		m.stop()
		return
	}
	m.swap, m.pending = false, time.Time{} // the next change asks again
	m.log(Log{What: LogRestartRefused, Gen: m.startGen(), Err: ev.Err})
}

func (m *machine) start() {
	gen, saved := m.startGen(), m.pending
	if m.inst.gen == 0 {
		saved = time.Time{} // what a hook wrote since the start of devguard is no save
	}
	m.inst = instance{
		phase: starting, gen: gen, from: m.binary.gen, saved: saved,
		made: made{m.binary.digest, m.tree.Runtime, m.tree.Env},
	}
	m.swap, m.pending = false, time.Time{}
	m.force.restart, m.force.migrate = false, false
	m.inst.start = m.issue(func(id ID) Effect { return Start{ID: id, Gen: gen, Binary: m.binary.path} })
}

func (m *machine) started(ev Started) {
	if ev.ID != m.inst.start {
		return
	}
	m.inst.start = 0
	gen := m.inst.gen
	if ev.Err != nil {
		if !m.inst.aborted {
			m.log(Log{What: LogStartFailed, Gen: gen, Err: ev.Err})
		}
		m.beginDrain() // what it opened before it failed
		return
	}
	m.inst.phase, m.inst.pid, m.inst.since = running, ev.PID, m.now
	m.log(Log{What: LogInstanceStarted, Gen: gen, PID: ev.PID})
	m.inst.await = m.issue(func(id ID) Effect { return Await{ID: id, Gen: gen} })
	m.inst.ready = m.issue(func(id ID) Effect { return AwaitReady{ID: id, Gen: gen} })
}

func (m *machine) readyDone(ev ReadyDone) {
	if ev.ID != m.inst.ready {
		return
	}
	m.inst.ready = 0
	m.adopt(ev.Brings)
	l := Log{What: LogInstanceReady, Gen: m.inst.gen, Rule: ev.Rule, Took: ev.Took, Err: ev.Err}
	switch {
	case ev.Cancelled:
		return
	case ev.Err != nil:
		l.What = LogInstanceNotReady
	case !m.inst.saved.IsZero():
		l.SaveToReady = max(m.now.Sub(m.inst.saved), 0)
	}
	m.log(l)
	m.prepare()
}

// stop ends the running generation: the tree that is left after a crash, too.
func (m *machine) stop() {
	m.uncheck()
	if m.inst.ready != 0 {
		m.cancel(m.inst.ready)
		m.inst.ready = 0
	}
	gen := m.inst.gen
	m.inst.phase = stopping
	m.inst.stop = m.issue(func(id ID) Effect { return Stop{ID: id, Gen: gen} })
	if m.inst.await != 0 {
		m.log(Log{What: LogInstanceStopping, Gen: gen, PID: m.inst.pid})
	}
	if m.closing == atOnce { // the second interrupt came before there was anything to stop
		m.cancel(m.inst.stop)
	}
}

func (m *machine) exited(ev Exited) {
	if ev.ID != m.inst.await {
		return
	}
	m.inst.await = 0
	m.warn(ev.Err)
	if !ev.Cancelled {
		m.log(Log{
			What: LogInstanceExited, Gen: m.inst.gen, PID: m.inst.pid, Code: ev.Code, Signal: ev.Signal,
			Asked: m.inst.phase == stopping || ev.Interrupt, Detail: ev.Detail,
		})
	}
	if ev.Interrupt && m.closing == open {
		m.closing = graceful
	}
	if m.inst.phase == running {
		m.inst.crash = ev.Code != 0
		if m.now.Sub(m.inst.since) >= steady {
			m.crashes = 0
		}
		m.stop()
	}
	m.drainWhenGone()
}

func (m *machine) stopped(ev Stopped) {
	if ev.ID != m.inst.stop {
		return
	}
	m.inst.stop = 0
	if ev.Err != nil {
		m.log(Log{What: LogStopTrouble, Gen: m.inst.gen, Took: ev.Took, Err: ev.Err})
		if m.inst.await != 0 {
			m.cancel(m.inst.await) // it may never end
		}
	}
	m.drainWhenGone()
}

// drainWhenGone goes on once the tree is gone and its exit was said.
func (m *machine) drainWhenGone() {
	if m.inst.phase == stopping && m.inst.stop == 0 && m.inst.await == 0 {
		m.beginDrain()
	}
}

func (m *machine) beginDrain() {
	gen := m.inst.gen
	m.inst.phase = draining
	m.inst.drain = m.issue(func(id ID) Effect { return Drain{ID: id, Gen: gen} })
}

func (m *machine) drained(ev Drained) {
	if ev.ID != m.inst.drain {
		return
	}
	m.inst.drain = 0
	m.warn(ev.Err)
	m.inst.phase = none
	if !m.inst.crash || !m.opts.RestartOnCrash || m.closing != open {
		return
	}
	wait := min(firstRetry<<min(m.crashes, 10), maxRetry)
	m.crashes++
	m.inst.phase, m.inst.retry = crashed, m.now.Add(wait)
	if !m.swap {
		m.log(Log{What: LogCrashWaiting, Gen: m.inst.gen, Took: wait})
	}
}

// endInstance brings the instance to an end for good.
func (m *machine) endInstance() {
	switch m.inst.phase {
	case running:
		m.stop()
	case crashed:
		m.inst.phase = none
	case starting:
		if !m.inst.aborted {
			m.inst.aborted = true
			m.cancel(m.inst.start)
		}
	}
}
