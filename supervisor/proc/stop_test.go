//go:build linux

package proc_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/proc"
)

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	tr := start(t, "stubborn")
	pids := tr.pids(t)
	var notes [][]int
	const grace = 300 * time.Millisecond
	res := tr.Stop(t.Context(), proc.StopSpec{Grace: grace, Note: func(p []int) { notes = append(notes, p) }})
	if !res.Killed || len(res.Left) > 0 {
		t.Errorf("result %+v, want killed and nothing left", res)
	}
	// P5 says grace + 0.2 s; the rest is for a machine with other work.
	if res.Took < grace || res.Took > grace+5*time.Second {
		t.Errorf("took %v with a grace of %v", res.Took, grace)
	}
	if want := [][]int{pids, pids}; !slices.EqualFunc(notes, want, slices.Equal) {
		t.Errorf("noted %v, want %v", notes, want)
	}
	if e := tr.Exit(); e.Signal != "SIGKILL" || e.Code != -1 {
		t.Errorf("exit %+v", e)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("%d is alive after Stop", pid)
		}
	}
}

func TestStopReturnsWhenTheAppDoes(t *testing.T) {
	tr := start(t, "exits", "quit")
	tr.line(t)
	res := tr.Stop(t.Context(), proc.StopSpec{Signal: syscall.SIGINT, Grace: time.Minute})
	if res.Killed || res.Took > patience {
		t.Errorf("result %+v", res)
	}
	if got := tr.rest(t); got != "interrupt\n" {
		t.Errorf("the app got %q", got)
	}
	if e := tr.Exit(); e != (proc.Exit{}) {
		t.Errorf("exit %+v", e)
	}
	if res := tr.Stop(t.Context(), proc.StopSpec{Grace: time.Minute}); res.Killed || len(res.Left) > 0 {
		t.Errorf("a second stop: %+v", res)
	}
	if tr.Pids() != nil || tr.Signal(syscall.SIGTERM) == nil {
		t.Error("a tree that is gone has pids or takes signals")
	}
}

func TestStopKillsDaemonsWithoutWaitingForThem(t *testing.T) {
	tr := start(t, "daemon", "stay")
	daemon := tr.pids(t)[0]
	// It says so before its parent has ended: a look at the tree may miss a
	// process that is just given to another parent.
	eventually(t, "the guardian to be the daemon's parent", func() bool {
		p, ok := osproc.Look(daemon)
		return ok && slices.Contains(tr.Guardians(), p.PPID)
	})
	if pids := tr.Pids(); pids[0] != tr.PID() || !slices.Contains(pids, daemon) {
		t.Errorf("pids %v, want the app %d first and the daemon %d", pids, tr.PID(), daemon)
	}
	res := tr.Stop(t.Context(), proc.StopSpec{Grace: time.Minute})
	if res.Killed || alive(daemon) {
		t.Errorf("result %+v, daemon alive: %v", res, alive(daemon))
	}
}

func TestStopOfAStoppedApp(t *testing.T) {
	tr := start(t, "exits", "quit")
	tr.line(t)
	if err := syscall.Kill(tr.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	res := tr.Stop(t.Context(), proc.StopSpec{Grace: time.Minute})
	if res.Killed || tr.Exit() != (proc.Exit{}) {
		t.Errorf("a stopped app was not resumed to obey: %+v %+v", res, tr.Exit())
	}
}

func TestStopIsCutShort(t *testing.T) {
	for name, cut := range map[string]func(*tree, context.CancelFunc){
		"by its context": func(_ *tree, cancel context.CancelFunc) { cancel() },
		"by Kill":        func(tr *tree, _ context.CancelFunc) { tr.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, "stubborn")
			tr.line(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			noted := make(chan struct{}, 2)
			stopped := make(chan proc.StopResult)
			go func() {
				stopped <- tr.Stop(ctx, proc.StopSpec{Grace: time.Hour, Note: func([]int) { noted <- struct{}{} }})
			}()
			wait(t, "the stop to begin", noted)
			cut(tr, cancel)
			if res := <-stopped; !res.Killed || len(res.Left) > 0 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

func TestStopOfAChainOfProcesses(t *testing.T) {
	tr := start(t, "spawner")
	tr.line(t)
	if res := tr.Stop(t.Context(), proc.StopSpec{Grace: 10 * time.Second}); len(res.Left) > 0 {
		t.Errorf("result %+v", res)
	}
}

func TestGroupMembersGetTheGrace(t *testing.T) {
	// The shell exits at once, its child a moment later: not killed.
	tr := startWith(t, new(proc.Launcher), proc.Spec{Path: "sh", Args: []string{"-c",
		`sh -c 'trap "sleep 0.1; echo tidy; exit" TERM; echo up; while :; do sleep 0.02; done' & trap exit TERM; wait`}})
	tr.line(t)
	if res := tr.Stop(t.Context(), proc.StopSpec{Grace: time.Minute}); res.Killed {
		t.Errorf("result %+v", res)
	}
	if got := strings.TrimSpace(tr.rest(t)); got != "tidy" {
		t.Errorf("the child could not finish: %q", got)
	}
}

func TestCloseWaitsForTheGuardiansOfStoppedTrees(t *testing.T) {
	var l proc.Launcher
	running, stopped := startWith(t, &l, proc.Spec{Path: "sleep", Args: []string{"60"}}), startWith(t, &l, proc.Spec{Path: "sleep", Args: []string{"60"}})
	stopped.Stop(t.Context(), proc.StopSpec{Grace: time.Minute})
	l.Close()
	for _, pid := range stopped.Guardians() {
		if alive(pid) {
			t.Errorf("the guardian %d of a stopped tree outlives Close", pid)
		}
	}
	for _, pid := range append(running.Guardians(), running.PID()) {
		if !alive(pid) {
			t.Errorf("process %d of a running tree did not survive Close", pid)
		}
	}
}
