//go:build linux

package proc

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/devguard/devguard/supervisor/osproc"
)

func BenchmarkMembers(b *testing.B) {
	for b.Loop() {
		members(0, os.Getpid())
	}
	b.ReportMetric(float64(len(osproc.Processes())), "processes")
}

// Both ways to find children must agree, whichever the kernel allows.
func TestChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, p := range members(0, os.Getpid()) {
			p.Kill()
		}
		cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	names := func(all []osproc.Process) (pids []int) {
		for _, p := range all {
			pids = append(pids, p.PID)
		}
		return pids
	}
	all := names(members(0, os.Getpid()))
	if len(all) != 2 || all[0] != cmd.Process.Pid {
		t.Errorf("members %v, want the shell %d and its child", all, cmd.Process.Pid)
	}
	find := scanned()
	for _, pid := range []int{os.Getpid(), cmd.Process.Pid} {
		if a, b := names(find(pid)), names(listed(pid)); !slices.Equal(a, b) {
			t.Errorf("children of %d: scanned %v, listed %v", pid, a, b)
		}
	}
}
