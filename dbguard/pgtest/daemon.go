package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// daemon is a child process that does not outlive the test binary.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is reaped
}

// startDaemon starts cmd, its output appended to the file log, from a thread that lives as long as
// the child: the kernel sends the parent death signal when the *thread* that forked ends.
func startDaemon(cmd *exec.Cmd, log string) (*daemon, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	d := &daemon{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with us
		defer close(d.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the exit status is nobody's concern
		}
	}()
	return d, <-started
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

func (d *daemon) alive() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// stop signals the process and waits; what has not ended in 10 s is killed and fails the test.
func (d *daemon) stop(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s: %v", d.cmd.Path, err)
	}
	select {
	case <-d.done:
		return
	case <-time.After(10 * time.Second):
		t.Errorf("%s did not end within 10 s of %v", d.cmd.Path, sig)
	}
	_ = d.cmd.Process.Kill()
	<-d.done
}
