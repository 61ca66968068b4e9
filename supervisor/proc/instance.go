package proc

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/seccomp"
)

// Instance is one process tree. Its methods may be called from several
// goroutines, also after the tree is gone.
type Instance struct {
	guardian *guardian
	terminal *terminal // nil without Spec.Foreground

	started chan error // one value: nil once the app is executed
	done    chan struct{}
	empty   chan struct{} // closed when the tree is gone; its guardian may still be exiting
	gone    chan struct{} // closed when the guardian has ended too

	pid   int  // of the app; written by run before started has its value
	inner int  // pid of the process that started the app, likewise; on macOS that is guardian.child
	exit  Exit // written by run before done is closed

	filter   *os.File      // notifications of the filter; like pid
	noFilter string        // why there is none; like pid
	execed   chan struct{} // closed when the app's own exec was answered; nil when that is not asked about

	writeMu   sync.Mutex    // frames are not interleaved
	suspended chan struct{} // holds the guardian's answer to Suspend
	stops     chan struct{} // see Stops

	killOnce sync.Once
	killed   chan struct{} // Kill was called
}

func newInstance(g *guardian, spec Spec) *Instance {
	i := &Instance{
		guardian: g,
		started:  make(chan error, 1),
		done:     make(chan struct{}),
		empty:    make(chan struct{}),
		gone:     make(chan struct{}),
		killed:   make(chan struct{}),

		suspended: make(chan struct{}, 1),
		stops:     make(chan struct{}, 1),
	}
	if spec.Foreground {
		i.terminal = newTerminal(spec.Stdin, ownGroup())
		i.terminal.save()
	}
	return i
}

// PID is the main process, and its process group.
func (i *Instance) PID() int { return i.pid }

// Guardians are the pids of the processes that guard the tree, outermost
// first; a record of them lets the next start know whether they still work.
func (i *Instance) Guardians() []int {
	return slices.Compact([]int{i.guardian.child.Pid, i.inner})
}

// Filter returns the notifications of the tree's seccomp filter, which are the caller's
// from then on and must be answered, or says why there is none. It is called at most once,
// and only with Spec.Filter.
func (i *Instance) Filter() (*os.File, error) {
	if i.filter == nil {
		return nil, errors.New(i.noFilter)
	}
	if i.execed != nil {
		<-i.execed
	}
	return i.filter, nil
}

// answerExec has the kernel do the first call that is asked about: the guardian's exec of the app, which
// cannot answer that itself, because its thread waits for it in vfork.
func (i *Instance) answerExec() {
	execed := make(chan struct{})
	i.execed = execed
	go func(filter *os.File) {
		defer close(execed)
		if err := seccomp.ContinueNext(filter); err != nil && !errors.Is(err, io.EOF) {
			filter.Close() // then the exec fails
		}
	}(i.filter)
}

// Done is closed when the main process has exited and Exit is known.
func (i *Instance) Done() <-chan struct{} { return i.done }

// ended reports whether the tree is gone and its guardian too.
func (i *Instance) ended() bool {
	select {
	case <-i.gone:
		return true
	default:
		return false
	}
}

// Exit is how the main process ended; it waits for Done.
func (i *Instance) Exit() Exit {
	<-i.done
	return i.exit
}

// run reads what the guardian has to say until it ends, and waits for it. It is
// the only writer of the fields that Done and started publish.
func (i *Instance) run() {
	i.exit = Exit{Code: -1, Lost: true}
	said, exited := false, false
	for !said {
		ev, file, err := receiveEvent(i.guardian.conn)
		if err != nil {
			break
		}
		switch ev.Op {
		case opFiltered:
			i.filter, i.noFilter = file, ev.NoFilter
			if ev.AsksExec {
				i.answerExec()
			}
		case opStarted:
			i.pid, i.inner = ev.PID, ev.Guardian
			i.started <- nil
		case opFailed:
			i.started <- ev.failure()
		case opExited:
			i.exit, exited = ev.exit(), true
			close(i.done)
		case opSuspended:
			tell(i.suspended)
		case opStopped:
			tell(i.stops)
		case opGone:
			said = true
			close(i.empty)
		}
	}
	i.finish(said)
	if !exited {
		close(i.done)
	}
	if !said {
		close(i.empty)
	}
	close(i.gone)
}

// finish waits for the guardian. When it was killed, its warden has ended the
// tree before it ended; when both were killed, the app's group is what devguard
// can still find.
func (i *Instance) finish(said bool) {
	i.guardian.conn.Close()
	state, err := i.guardian.child.Wait()
	select {
	case i.started <- errLost:
	default: // it had started or failed before
	}
	if said {
		return
	}
	if i.pid > 0 && (err != nil || !state.Success()) {
		endGroup(i.pid)
	}
	i.terminal.takeBack(i.pid)
}

// startErrno is the errno that the exec of the app failed with.
type startErrno struct{ syscall.Errno }

func (ev event) failure() error {
	if ev.Errno != 0 {
		return startErrno{syscall.Errno(ev.Errno)}
	}
	return errors.New(ev.Text)
}

func (ev event) exit() Exit {
	if ev.Signal != 0 {
		return Exit{Code: -1, Signal: osproc.SignalName(syscall.Signal(ev.Signal))}
	}
	return Exit{Code: ev.Code}
}

func (i *Instance) command(c command) error {
	msg, err := frame(c)
	if err != nil {
		return err
	}
	i.writeMu.Lock()
	defer i.writeMu.Unlock()
	_, err = i.guardian.conn.Write(msg)
	return err
}

// Pids are the live processes of the tree, without its guardians: on Linux every
// descendant, on macOS the app's group and the descendants of its members. The
// main process, when it lives, is the first.
func (i *Instance) Pids() []int {
	select {
	case <-i.empty:
		return nil
	default:
	}
	var pids []int
	for _, p := range members(i.pid, i.guardian.child.Pid, i.inner) {
		switch {
		case p.PID == i.inner || p.Zombie:
		case p.PID == i.pid:
			pids = slices.Insert(pids, 0, p.PID)
		default:
			pids = append(pids, p.PID)
		}
	}
	return pids
}
