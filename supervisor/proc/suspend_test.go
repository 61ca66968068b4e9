//go:build linux

package proc_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/proc"
)

// state is the process state of proc_pid_stat(5), like T for stopped.
func state(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:min(1, len(rest))]
}

// script runs a line of sh, which says "ready" first.
func script(t *testing.T, line string) *tree {
	t.Helper()
	tr := startWith(t, new(proc.Launcher), proc.Spec{Path: "/bin/sh", Args: []string{"-c", line}})
	if got := tr.line(t); got != "ready" {
		t.Fatalf("it says %q", got)
	}
	return tr
}

func TestSuspendAndContinue(t *testing.T) {
	tr := script(t, "echo ready; exec sleep 3600")
	for range 3 {
		began := time.Now()
		tr.Suspend()
		if got := state(tr.PID()); got != "T" && time.Since(began) < proc.SuspendWait {
			t.Fatalf("suspended, it is %s", got)
		}
		eventually(t, "it is suspended", func() bool { return state(tr.PID()) == "T" }) // on a slow machine later
		tr.Suspend()                                                                    // again: it is stopped already
		tr.Continue()
		eventually(t, "it goes on", func() bool { return state(tr.PID()) == "S" })
	}
}

// One that somebody else has stopped is stopped, and one that somebody else has continued is not.
func TestSuspendBesideSomebodyElse(t *testing.T) {
	tr := script(t, "echo ready; exec sleep 3600")
	syscall.Kill(tr.PID(), syscall.SIGSTOP)
	eventually(t, "it is stopped", func() bool { return state(tr.PID()) == "T" })
	tr.Suspend()
	syscall.Kill(tr.PID(), syscall.SIGCONT)
	eventually(t, "it goes on", func() bool { return state(tr.PID()) == "S" })
	// The guardian may hear of the SIGCONT after our wish, which then was one for a stopped app.
	eventually(t, "it is suspended", func() bool { tr.Suspend(); return state(tr.PID()) == "T" })
	select {
	case <-tr.Stops():
		t.Error("a stop at a terminal that it does not have")
	default:
	}
}

// One that takes no notice is waited for a little, and left alone.
func TestSuspendIgnored(t *testing.T) {
	tr := script(t, "trap '' TSTP; echo ready; while :; do sleep 3600; done")
	began := time.Now()
	tr.Suspend()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	if got := state(tr.PID()); got == "T" {
		t.Error("it was stopped")
	}
}

// A suspended app can be told to end, and killed.
func TestStopOfASuspendedApp(t *testing.T) {
	tr := script(t, "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.01; done")
	tr.Suspend()
	res := tr.Stop(t.Context(), proc.StopSpec{Grace: patience})
	if exit := tr.Exit(); res.Killed || exit.Code != 5 || tr.line(t) != "told" {
		t.Errorf("%+v %+v", res, exit)
	}
	tr.Suspend() // nothing is left
	tr.Continue()

	tr = script(t, "echo ready; exec sleep 3600")
	tr.Suspend()
	tr.Kill()
	wait(t, "the end", tr.Done())
	tr.Suspend()
}
