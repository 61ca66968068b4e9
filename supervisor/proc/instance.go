package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Instance is one process tree. Its methods may be called from several
// goroutines, also after the tree is gone.
type Instance struct {
	guardian *guardian
	tty      *os.File // Spec.Stdin, with Spec.Foreground

	started chan error // one value: nil once the app is executed
	done    chan struct{}
	empty   chan struct{} // closed when the tree is gone; its guardian may still be exiting
	gone    chan struct{}

	// Written by run before started, done; readable after.
	pid      int
	inner    int
	exit     Exit
	writeMu  sync.Mutex // frames are not interleaved
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
	}
	if spec.Foreground {
		i.tty = spec.Stdin
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

// Done is closed when the main process has exited and Exit is known.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Gone is closed when the whole tree is gone, its guardian included.
func (i *Instance) Gone() <-chan struct{} { return i.gone }

// ended reports whether Gone is closed.
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
		var ev event
		if err := readFrame(i.guardian.conn, &ev); err != nil {
			break
		}
		switch ev.Op {
		case opStarted:
			i.pid, i.inner = ev.PID, ev.Guardian
			i.started <- nil
		case opFailed:
			i.started <- ev.failure()
		case opExited:
			i.exit, exited = ev.exit(), true
			close(i.done)
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
	if i.tty != nil {
		takeForeground(i.tty, i.pid, ownGroup())
	}
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

// Signal sends sig to the app's group. Once the app has exited that is
// os.ErrProcessDone.
func (i *Instance) Signal(sig syscall.Signal) error {
	select {
	case <-i.done:
		return os.ErrProcessDone
	default:
	}
	if err := i.command(command{Op: opSignal, Signal: int(sig)}); err != nil {
		return fmt.Errorf("signal the app: %w", err)
	}
	return nil
}

// Kill ends the whole tree with SIGKILL, now, and does not wait. A Stop that is
// under way stops waiting for its grace.
func (i *Instance) Kill() {
	i.killOnce.Do(func() {
		i.command(command{Op: opKill}) // fails only when the guardian is gone, and then so is the tree
		close(i.killed)
	})
}

// Stop ends the tree: the signal to the app's group, then, when the main
// process and its group are not gone within the grace, SIGKILL to the whole
// tree. When they are gone early, what is left outside the group is killed at
// once. The end of ctx, or Kill, ends the grace. Stop always returns, at the
// latest about three seconds after the SIGKILL. It does not wait for the
// guardian, which has nothing left to do; see Launcher.Close.
func (i *Instance) Stop(ctx context.Context, spec StopSpec) StopResult {
	if spec.Signal == 0 {
		spec.Signal = syscall.SIGTERM
	}
	i.note(spec.Note)
	began := time.Now()
	i.command(command{Op: opStop, Signal: int(spec.Signal)}) // see Kill
	var res StopResult
	if !i.waitGrace(ctx, spec.Grace) {
		res.Killed = true
		i.note(spec.Note)
		i.Kill()
		i.waitEmpty(killWait)
	}
	res.Took = time.Since(began)
	select {
	case <-i.empty:
	default:
		res.Left = i.Pids()
	}
	return res
}

func (i *Instance) note(note func([]int)) {
	if note == nil {
		return
	}
	if pids := i.Pids(); len(pids) > 0 {
		note(pids)
	}
}

// waitGrace reports whether the tree went by itself.
func (i *Instance) waitGrace(ctx context.Context, grace time.Duration) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-i.empty:
		return true
	case <-timer.C:
	case <-ctx.Done():
	case <-i.killed:
	}
	return false
}

func (i *Instance) waitEmpty(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-i.empty:
	case <-timer.C:
	}
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
