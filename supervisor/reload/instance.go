package reload

import (
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// The back-off after a crash: firstRetry, doubled up to maxRetry (numbers are a
// guess: the first is short enough not to be noticed, the last quiet enough to
// read the panic). A generation that lived for steady has not crashed in a row: it
// is started again at once.
const (
	firstRetry = 500 * time.Millisecond
	maxRetry   = 8 * time.Second
	steady     = 10 * time.Second
)

// instance is the newest generation of the app and the phase it is in. Nothing
// in this file knows of the round; handover.go says when to start, to check and
// to stop.
type instance struct {
	generation
	phase   phase
	crashes int // in a row, for the back-off
}

// generation is one start of the app, also when it is gone. The zero generation
// is none.
type generation struct {
	gen   int       // its number; 0 before the first start
	from  int       // the generation that its binary was built for
	made  made      // what it was started with
	saved time.Time // the save that it serves; zero if none
	spent Parts     // for it

	// version is Snapshot.Version of the tree that it stands for: all that it is made of
	// is of that tree or of a newer one.
	version uint64

	launched time.Time

	// begun is when its work began: it was launched, ran, was found ready, the latest of
	// these.
	begun time.Time
}

// made is what a generation was started with, to compare with what there is.
type made struct{ binary, runtime, env change.Digest }

func (all made) digest() change.Digest {
	return change.DigestOf(slices.Concat(all.binary[:], all.runtime[:], all.env[:]))
}

// phase is one of the types below, with what is known in that phase alone.
type phase interface{ String() string }

// gap is a phase without any process of the app: a start may follow.
type gap interface {
	phase
	gap()
}

type (
	// never: nothing was started yet.
	never struct{}

	// stopped: devguard has ended it.
	stopped struct{ stop, drain time.Duration }

	// exited: it ended by itself, with code 0.
	exited struct{}

	// crashed: it ended by itself, badly.
	crashed struct {
		lived time.Duration // since its process existed
		retry time.Time     // when it is started again; zero: not before the next change
	}

	// startFailed: it could not be started.
	startFailed struct{ err error }

	// starting: Start is in flight.
	starting struct{ start ID }

	// aborting: Start was cancelled and its answer is awaited.
	aborting struct{ start ID }

	running struct {
		pid   int
		since time.Time
		await ID
		ready ID // of AwaitReady; 0 once it was answered
		check ID // of Check for the next generation; 0: none is in flight

		readySince time.Time // zero: it was not found ready
		notReady   error     // why it was not found ready in time
	}

	// stopping: Stop or Await is in flight.
	stopping struct {
		pid   int
		since time.Time
		stop  ID  // 0 once it was answered
		await ID  // 0 once it was answered
		then  gap // what it is when it is gone
	}

	// draining: the processes are gone, Drain is in flight.
	draining struct {
		drain ID
		since time.Time
		then  gap
	}
)

func (never) gap()       {}
func (stopped) gap()     {}
func (exited) gap()      {}
func (crashed) gap()     {}
func (startFailed) gap() {}

func (never) String() string       { return "none" }
func (stopped) String() string     { return "none" }
func (exited) String() string      { return "exited" }
func (crashed) String() string     { return "crashed" }
func (startFailed) String() string { return "failed" }
func (starting) String() string    { return "starting" }
func (aborting) String() string    { return "starting" }
func (running) String() string     { return "running" }
func (stopping) String() string    { return "stopping" }
func (draining) String() string    { return "draining" }

// gone reports whether no process of the app exists and its database is drained.
func (i instance) gone() bool {
	_, ok := i.phase.(gap)
	return ok
}

// alone reports whether the instance is neither being stopped nor started.
func (i instance) alone() bool {
	_, runs := i.phase.(running)
	return runs || i.gone()
}

// withProcesses returns the generation that may have processes; 0 for none. One that is being
// started may have its process, and its say on the terminal, before devguard hears of it.
func (i instance) withProcesses() int {
	switch i.phase.(type) {
	case starting, aborting, running, stopping:
		return i.gen
	}
	return 0
}

// retryAt returns when a generation that crashed is started again; zero for not
// by itself.
func (i instance) retryAt() time.Time {
	c, _ := i.phase.(crashed)
	return c.retry
}

// forgiveCrashes has the next crash answered as if it were the first.
func (m *machine) forgiveCrashes() { m.inst.crashes = 0 }

// changeover returns what is waited for while a generation is started or ended.
func (s State) changeover() (wait, bool) {
	switch s.inst.phase.(type) {
	case starting, aborting:
		return startWait(s.inst.gen), true
	case stopping:
		return stopWait(s.inst.gen), true
	case draining:
		return drainWait(s.inst.gen), true
	}
	return wait{}, false
}

// bug panics: the phase of the instance does not allow what was tried.
func (i instance) bug(what string) {
	panic("BUG: " + what + " while the instance is " + i.phase.String())
}

// start begins a generation with the binary at that path.
func (m *machine) start(g generation, path string) {
	if !m.inst.gone() {
		m.inst.bug("start")
	}
	m.inst.generation = g
	m.inst.phase = starting{m.issue(func(id ID) Effect { return Start{ID: id, Gen: g.gen, Binary: path, Made: g.made.digest()} })}
}

func (m *machine) started(ev Started) {
	switch p := m.inst.phase.(type) {
	case starting:
		if p.start != ev.ID {
			return
		}
		if ev.Err == nil {
			m.run(ev.PID)
			return
		}
		if ev.Missing {
			m.rebuild()
		} else {
			m.log(Log{What: LogStartFailed, Gen: m.inst.gen, Err: ev.Err})
		}
		m.drain(startFailed{ev.Err}) // what it opened before it failed
	case aborting:
		if p.start != ev.ID {
			return
		}
		if ev.Err == nil {
			m.run(ev.PID) // it was too late to cancel it
			return
		}
		m.drain(stopped{})
	}
}

// run takes up a generation whose process exists.
func (m *machine) run(pid int) {
	gen := m.inst.gen
	m.inst.begun = m.now
	m.log(Log{What: LogInstanceStarted, Gen: gen, PID: pid})
	m.inst.phase = running{
		pid: pid, since: m.now,
		await: m.issue(func(id ID) Effect { return Await{ID: id, Gen: gen} }),
		ready: m.issue(func(id ID) Effect { return AwaitReady{ID: id, Gen: gen} }),
	}
}

func (m *machine) readyDone(ev ReadyDone) {
	r, ok := m.inst.phase.(running)
	if !ok || r.ready != ev.ID {
		return
	}
	r.ready = 0
	switch {
	case ev.Cancelled:
	case ev.Err != nil:
		r.notReady = ev.Err
	default:
		r.readySince, m.inst.begun = m.now, m.now
		m.inst.spent.Start = m.lasted(m.inst.launched)
	}
	m.inst.phase = r
	m.adopt(ev.Brings)
	l := Log{What: LogInstanceReady, Gen: m.inst.gen, Rule: ev.Rule, Took: ev.Took, Parts: m.inst.spent, Err: ev.Err}
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

// judged reports whether it is known if the generation was ready in time. The wait for that ends
// without an answer when the app does, and its exit may be told of later.
func (r running) judged() bool { return !r.readySince.IsZero() || r.notReady != nil }

// check looks whether a generation could be started: an env file that cannot be
// read, or a database of our own that does not come up, must not cost the app
// that runs.
func (m *machine) check(gen int, path string) {
	r, ok := m.inst.phase.(running)
	if !ok || r.check != 0 {
		m.inst.bug("check")
	}
	r.check = m.issue(func(id ID) Effect { return Check{ID: id, Gen: gen, Binary: path} })
	m.inst.phase = r
}

// uncheck gives up a check: what it looked at is not what would be started.
func (m *machine) uncheck() {
	if r, ok := m.inst.phase.(running); ok && r.check != 0 {
		m.cancel(r.check)
		r.check = 0
		m.inst.phase = r
	}
}

func (m *machine) checked(ev Checked) {
	r, ok := m.inst.phase.(running)
	if !ok || r.check != ev.ID {
		return
	}
	r.check = 0
	m.inst.phase = r
	switch {
	case ev.Missing:
		m.rebuild()
	case ev.Err != nil:
		m.refuse(ev.Err)
	default:
		m.stop(stopped{})
	}
}

// stop ends the running generation: the tree that is left after a crash, too.
func (m *machine) stop(then gap) {
	m.uncheck()
	r, ok := m.inst.phase.(running)
	if !ok {
		m.inst.bug("stop")
	}
	if r.ready != 0 {
		m.cancel(r.ready)
	}
	gen := m.inst.gen
	id := m.issue(func(id ID) Effect { return Stop{ID: id, Gen: gen, Last: !m.isOpen()} })
	m.inst.phase = stopping{pid: r.pid, since: m.now, stop: id, await: r.await, then: then}
	if r.await != 0 {
		m.log(Log{What: LogInstanceStopping, Gen: gen, PID: r.pid})
	}
	if _, hurried := m.closing.(atOnce); hurried { // the second interrupt came before there was anything to stop
		m.cancel(id)
	}
}

func (m *machine) exited(ev Exited) {
	switch p := m.inst.phase.(type) {
	case running:
		if p.await != ev.ID {
			return
		}
		p.await = 0
		m.inst.phase = p
		m.tellExit(ev, p.pid, ev.Interrupt)
		lived := m.now.Sub(p.since)
		if lived >= steady {
			m.inst.crashes = 0
		}
		if ev.Code != 0 {
			m.stop(crashed{lived: lived})
		} else {
			m.stop(exited{})
		}
	case stopping:
		if p.await != ev.ID {
			return
		}
		p.await = 0
		m.inst.phase = p
		m.tellExit(ev, p.pid, true)
		m.drainWhenGone()
	}
}

// tellExit says how the app's main process ended. One that has the terminal gets
// the user's Ctrl-C alone.
func (m *machine) tellExit(ev Exited, pid int, asked bool) {
	m.warn(ev.Err)
	if !ev.Cancelled {
		m.log(Log{
			What: LogInstanceExited, Gen: m.inst.gen, PID: pid, Code: ev.Code, Signal: ev.Signal,
			Asked: asked, Detail: ev.Detail,
		})
	}
	if ev.Interrupt && m.isOpen() {
		m.closing = graceful{pressed: m.now}
	}
}

func (m *machine) stopped(ev Stopped) {
	p, ok := m.inst.phase.(stopping)
	if !ok || p.stop != ev.ID {
		return
	}
	p.stop = 0
	m.inst.phase = p
	if ev.HungUp > 0 {
		m.log(Log{What: LogInstanceStopping, Gen: m.inst.gen, PID: p.pid, HungUp: ev.HungUp})
	}
	if ev.Err != nil {
		m.log(Log{What: LogStopTrouble, Gen: m.inst.gen, Took: ev.Took, Err: ev.Err})
		if p.await != 0 {
			m.cancel(p.await) // it may never end
		}
	}
	m.drainWhenGone()
}

// drainWhenGone goes on once the tree is gone and its exit was said.
func (m *machine) drainWhenGone() {
	p, ok := m.inst.phase.(stopping)
	if !ok || p.stop != 0 || p.await != 0 {
		return
	}
	if s, wished := p.then.(stopped); wished {
		s.stop = m.lasted(p.since)
		p.then = s
	}
	m.drain(p.then)
}

// drain ends what the generation has left in the database.
func (m *machine) drain(then gap) {
	if _, ok := m.changeover(); !ok {
		m.inst.bug("drain")
	}
	gen := m.inst.gen
	m.inst.phase = draining{m.issue(func(id ID) Effect { return Drain{ID: id, Gen: gen} }), m.now, then}
}

func (m *machine) drained(ev Drained) {
	d, ok := m.inst.phase.(draining)
	if !ok || d.drain != ev.ID {
		return
	}
	m.warn(ev.Err)
	if s, wished := d.then.(stopped); wished {
		s.drain = m.lasted(d.since)
		d.then = s
	}
	m.inst.phase = d.then
	if c, ok := d.then.(crashed); ok && m.opts.RestartOnCrash && m.isOpen() {
		m.backOff(c)
	}
}

// backOff has a generation that crashed started again, after a while unless it lived for long.
func (m *machine) backOff(c crashed) {
	wait := time.Duration(0)
	if c.lived < steady {
		wait = min(firstRetry<<min(m.inst.crashes, 10), maxRetry)
		m.inst.crashes++
	}
	c.retry = m.now.Add(wait)
	m.inst.phase = c
	if wait > 0 && !m.restartDue() {
		m.log(Log{What: LogCrashWaiting, Gen: m.inst.gen, Took: wait})
	}
}

// endInstance brings the instance to an end for good.
func (m *machine) endInstance() {
	switch p := m.inst.phase.(type) {
	case running:
		m.stop(stopped{})
	case starting:
		m.cancel(p.start)
		m.inst.phase = aborting(p)
	}
}

// hurry cuts short what the end of the instance waits for.
func (m *machine) hurry() {
	switch p := m.inst.phase.(type) {
	case stopping:
		if p.stop != 0 {
			m.cancel(p.stop)
		}
	case draining:
		m.cancel(p.drain)
	}
}
