package proc

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// StopSpec says how to ask the tree to end.
type StopSpec struct {
	Signal syscall.Signal // to the app's group; 0 is SIGTERM
	Grace  time.Duration  // from the signal to SIGKILL; 0 kills at once

	// Note, if set, is called with the pids of the tree right before the
	// signal and right before the SIGKILL that ends a grace. Stop waits for
	// it; it must not call the Instance.
	Note func(pids []int)
}

// StopResult is what Stop saw.
type StopResult struct {
	Killed bool          // the app or its group was still there when the grace was over or cut short
	Took   time.Duration // from the signal until the tree was gone, or until Stop gave up
	Left   []int         // alive when Stop gave up: uninterruptible, or not ours to kill
}

// killWait is how long Stop waits for a SIGKILL to take effect. A kill of a
// process that is not in uninterruptible sleep takes milliseconds even on a
// loaded machine; what is left after this is reported, not waited for.
const killWait = 3 * time.Second

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
