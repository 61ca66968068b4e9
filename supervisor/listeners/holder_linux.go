package listeners

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/seccomp"
)

// Holder keeps the app's listening sockets from one generation to the next. Its methods may be
// called from several goroutines; those that tell of a generation return when what follows
// from it is done.
type Holder struct {
	say   func(logline.Line)
	asks  chan func()
	calls chan call
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when nothing of ours runs any more
	kept  atomic.Pointer[[]hold.Kept]
	stand atomic.Pointer[Status]
	idle  atomic.Pointer[idle] // see Idle; the newest counts
	news  chan struct{}        // idle was stored
	off   atomic.Bool

	listens chan struct{} // see Listens
	// Of the one goroutine that run is.
	table   hold.Table
	keeper  *keeper // nil until a socket is kept
	pids    func() []int
	standIn standIn
	trees   map[*seccomp.Listener]chan struct{} // those that are received from; closed when that has ended
}

// call is a system call of generation gen that waits for its answer.
type call struct {
	gen int
	*seccomp.Listener
	seccomp.Notification
}

// New returns a Holder that holds nothing yet. say is called from one goroutine, and must not
// wait for it.
func New(say func(logline.Line)) *Holder {
	h := &Holder{
		say: say, asks: make(chan func()), calls: make(chan call), news: make(chan struct{}, 1), listens: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}), trees: map[*seccomp.Listener]chan struct{}{},
	}
	go h.run()
	return h
}

// Wanted reports whether the next generation is to have the filter.
func (h *Holder) Wanted() bool { return !h.off.Load() }

// Listens is sent to when a process of the app listens, or is about to, unless that is to be received
// already. There is nothing to receive from an app without the filter.
func (h *Holder) Listens() <-chan struct{} { return h.listens }

func (h *Holder) tellListens() {
	select {
	case h.listens <- struct{}{}:
	default:
	}
}

// Status returns how every address stands that the app has listened on. Nothing of it is changed later.
func (h *Holder) Status() Status {
	if s := h.stand.Load(); s != nil {
		return *s
	}
	return Status{}
}

// Untaken reports whether a socket is kept that the newest generation does not listen on, and
// to which a connect to addr leads: it proves nothing. Without an IP a connect may lead to any socket of
// that port, and it is enough that the generation listens on one.
func (h *Holder) Untaken(addr netip.AddrPort) bool {
	if !addr.Addr().IsValid() && h.any(func(s hold.Kept) bool { return s.Taken && s.Answers(addr) }) {
		return false
	}
	return h.any(func(s hold.Kept) bool { return !s.Taken && s.Answers(addr) })
}

// Holds reports whether a socket of that port is kept here.
func (h *Holder) Holds(port int) bool {
	return h.any(func(s hold.Kept) bool { return int(s.Place.Addr.Port()) == port })
}

func (h *Holder) any(is func(hold.Kept) bool) bool {
	kept := h.kept.Load()
	if kept == nil {
		return false
	}
	return slices.ContainsFunc(*kept, is)
}

// Started says that a generation runs, with the descriptor of its filter's notifications, or the
// reason why it has none. pids are the processes of its tree.
func (h *Holder) Started(gen int, filter *os.File, refused error, pids func() []int) {
	h.ask(func() {
		h.do(h.table.Started(time.Now(), gen))
		h.pids, h.standIn.gen = pids, gen
		var l *seccomp.Listener
		if refused == nil {
			l, refused = seccomp.NewListener(filter)
		}
		if refused != nil {
			if filter != nil {
				filter.Close()
			}
			h.failed(refused)
			return
		}
		ended := make(chan struct{})
		h.trees[l] = ended
		go h.receive(gen, l, ended)
	}, func() {
		if filter != nil {
			filter.Close() // devguard ends
		}
	})
}

// Debugger says at which port a debugger listens that generations are started with; 0 for none.
func (h *Holder) Debugger(port uint16) {
	h.tell(func(time.Time) []hold.Action {
		h.table.Debugger(port)
		return nil
	})
}

// Program names what is started as the next generation.
func (h *Holder) Program(name string) {
	h.tell(func(time.Time) []hold.Action {
		h.table.Program(name)
		return nil
	})
}

// Unfiltered says that a generation is about to start whose sockets are not to be held: nothing may
// stand in its way.
func (h *Holder) Unfiltered() {
	h.tell(func(time.Time) []hold.Action {
		h.standIn.retain(func(bind) bool { return false })
		return h.table.Release("it is switched off")
	})
}

// Ready says that a generation was found ready.
func (h *Holder) Ready(gen int) {
	h.tell(func(now time.Time) []hold.Action {
		h.standIn.begun(now, gen)
		return h.table.Ready(now, gen)
	})
}

// NotReady says that a generation was not ready in time.
func (h *Holder) NotReady(gen int) {
	h.tell(func(now time.Time) []hold.Action {
		h.standIn.begun(now, gen)
		return h.table.NotReady(now, gen)
	})
}

// Exited says that the main process of a generation has ended; of one that was asked to, Stopping
// comes first.
func (h *Holder) Exited(gen int) {
	h.tell(func(now time.Time) []hold.Action {
		h.standIn.settle = time.Time{}
		return h.table.Exited(now, gen)
	})
}

// Stopping says that a generation is about to be ended.
func (h *Holder) Stopping(gen int) {
	h.tell(func(now time.Time) []hold.Action {
		h.standIn.settle = time.Time{}
		return h.table.Stopping(now, gen)
	})
}

// Ends says that devguard ends with the newest generation, which is about to be ended: nobody is held back
// for another one.
func (h *Holder) Ends() {
	h.tell(func(time.Time) []hold.Action {
		h.standIn.settle = time.Time{}
		return h.table.Ends()
	})
}

// Ended says that no process of a generation is left.
func (h *Holder) Ended(gen int) {
	h.tell(func(now time.Time) []hold.Action { return h.table.Ended(now, gen) })
}

// idle is why no generation is on its way, and how often in a row one has crashed.
type idle struct {
	reason  string
	crashes int
}

// Idle says why no generation runs and none is on its way, to whoever connects meanwhile; "" when one
// runs or is on its way. crashes is how often in a row one has crashed, without a change in between. It
// does not wait.
func (h *Holder) Idle(reason string, crashes int) {
	h.idle.Store(&idle{reason, crashes})
	select {
	case h.news <- struct{}{}:
	default: // somebody is about to look
	}
}

// heed has the table know what Idle was told last.
func (h *Holder) heed(now time.Time) {
	if i := h.idle.Load(); i.reason != "" {
		h.do(h.table.Idle(now, i.reason, i.crashes))
	} else {
		h.do(h.table.Active())
	}
}

// Close lets go of everything and waits until nothing of ours runs. No process of the app may be
// left: its next bind would fail.
func (h *Holder) Close() {
	close(h.quit)
	<-h.done
}

// tell has the owner of the table do f and what follows from it.
func (h *Holder) tell(f func(now time.Time) []hold.Action) {
	h.ask(func() { h.do(f(time.Now())) }, func() {})
}

// ask has the owner of the table do f, and waits for it; instead is done when there is none any
// more.
func (h *Holder) ask(f, instead func()) {
	finished := make(chan struct{})
	select {
	case h.asks <- func() { defer close(finished); f() }:
		<-finished
	case <-h.quit:
		instead()
	}
}

// run is the one goroutine that has the table, the keeper and the answers.
func (h *Holder) run() {
	defer close(h.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		if d := h.deadline(); !d.IsZero() {
			timer.Reset(max(time.Until(d), 0))
		}
		select {
		case f := <-h.asks:
			h.guarded(f)
		case c := <-h.calls:
			h.answer(c)
		case <-h.news:
			h.guarded(func() { h.heed(time.Now()) })
		case <-h.keeperEnded():
			h.lost()
		case now := <-timer.C:
			h.guarded(func() { h.tick(now) })
		case <-h.quit:
			h.shutdown()
			return
		}
	}
}

// deadline is when tick is due; zero for never.
func (h *Holder) deadline() time.Time {
	d, settle := h.table.Deadline(), h.standIn.settle
	if d.IsZero() || !settle.IsZero() && settle.Before(d) {
		return settle
	}
	return d
}

func (h *Holder) tick(now time.Time) {
	if settle := h.standIn.settle; !settle.IsZero() && !now.Before(settle) {
		h.settled()
	}
	h.do(h.table.Tick(now))
}

// guarded ends holding, and not devguard, when there is a bug in it.
func (h *Holder) guarded(f func()) {
	defer func() {
		if p := recover(); p != nil {
			h.failed(fmt.Errorf("BUG in devguard, please report: %v", p))
		}
	}()
	f()
}

// failed ends holding: something did not work that has to.
func (h *Holder) failed(err error) {
	hint := logline.HintOf(err)
	// ENOSYS is a container's as well: where the filter could be installed the kernel has these calls.
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS) {
		hint = "in a container add --cap-add SYS_PTRACE; elsewhere sysctl kernel.yama.ptrace_scope must be 0 or 1"
	}
	h.do(h.table.Failed(err.Error(), hint))
}

func (h *Holder) keeperEnded() <-chan struct{} {
	if h.keeper == nil {
		return nil
	}
	return h.keeper.ended
}

const keeperKilled = "the process that kept it was killed"

// lost forgets what a keeper had that is gone, or has another one keep it.
func (h *Holder) lost() {
	if h.keeper != nil {
		h.keeper.process.Kill() // one that does not answer may still have the ports
		h.keeper.close()
		h.keeper = nil
	}
	h.do(h.table.Lost(keeperKilled))
}

func (h *Holder) shutdown() {
	if h.keeper != nil {
		h.keeper.close()
	}
	for l, ended := range h.trees {
		l.Close()
		<-ended
	}
}

// receive passes on the calls of one tree until no process has its filter any more.
func (h *Holder) receive(gen int, l *seccomp.Listener, ended chan struct{}) {
	defer close(ended)
	for {
		n, err := l.Receive()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil { // there is nobody left to answer, or it cannot be heard
			h.ask(func() {
				delete(h.trees, l)
				l.Close()
				if !errors.Is(err, io.EOF) {
					h.failed(err)
				}
			}, func() {})
			return
		}
		select {
		case h.calls <- call{gen, l, n}:
		case <-h.quit:
			return
		}
	}
}

// publish makes the table visible to Untaken, Holds and Status.
func (h *Holder) publish() {
	kept := h.table.Kept()
	h.kept.Store(&kept)
	status := Status{Off: h.table.Off()}
	for _, s := range h.table.Snapshot() {
		status.Sockets = append(status.Sockets, Socket{s.Place.String(), s.String(), string(s.Kind), s.Gen, s.Since, s.Reason})
	}
	h.stand.Store(&status)
	h.off.Store(h.table.Off() != "")
}
