package osproc

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Close waits for those that were killed, and not for one that has left the group.
func TestGroupCloseLeavesAnEscapedProcess(t *testing.T) {
	g, err := NewGroup()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	if err := g.Run(exec.Command("sh", "-c", `setsid sh -c 'echo $$ >"$1"; exec sleep 600' sh '`+file+`' & until [ -s '`+file+`' ]; do sleep 0.01; done`)); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, file)
	const limit = 100 * time.Millisecond
	began := time.Now()
	g.Close(limit)
	if took := time.Since(began); took < limit {
		t.Errorf("waited %v for a process that was there", took)
	}
	if !Alive(pid) {
		t.Error("a process of another session was killed")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// TestOutputThatAStrangerHasOpen: a command that has ended well is no failure for that, and nobody waits for long.
func TestOutputThatAStrangerHasOpen(t *testing.T) {
	g, err := NewGroup()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(time.Second)
	file := filepath.Join(t.TempDir(), "pid")
	var out bytes.Buffer
	for script, fails := range map[string]bool{
		`setsid sh -c 'echo $$ >"$1"; exec sleep 600' sh '` + file + `' & until [ -s '` + file + `' ]; do sleep 0.01; done; echo done`: false,
		"exit 3": true,
	} {
		cmd := exec.Command("sh", "-c", script)
		cmd.Stdout, cmd.WaitDelay = &out, 10*time.Millisecond
		if err := g.Run(cmd); (err != nil) != fails {
			t.Errorf("%s: %v", script, err)
		}
	}
	if out.String() != "done\n" {
		t.Errorf("it has said %q", out.String())
	}
	_ = syscall.Kill(pidIn(t, file), syscall.SIGKILL)
}
