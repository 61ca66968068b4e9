//go:build linux

package proc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/proc"
)

// devguard is a process of ours that acts as devguard and may be killed.
type devguard struct {
	cmd           *exec.Cmd
	mark          string
	warden, inner int
	app           int
	tree          []int // what the app printed of itself
}

func startDevguard(t *testing.T, name string, args ...string) *devguard {
	t.Helper()
	d := &devguard{cmd: exec.Command(os.Args[0]), mark: newMark()}
	d.cmd.Env = append(os.Environ(), d.mark, "PROC_TEST_DEVGUARD="+app(t, name), "PROC_TEST_ARGS="+strings.Join(args, " "))
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.cmd.Process.Kill()
		d.cmd.Wait()
		eventually(t, "everything to be gone", func() bool { return len(marked(d.mark)) == 0 })
	})
	for lines, n := bufio.NewScanner(out), 0; n < 2; n++ { // the app's and devguard's, in any order
		if !lines.Scan() {
			t.Fatalf("devguard ended: %v", lines.Err())
		}
		if c, _ := fmt.Sscanf(lines.Text(), "guardians [%d %d] app %d", &d.warden, &d.inner, &d.app); c == 3 {
			continue
		}
		for f := range strings.FieldsSeq(lines.Text()) {
			var pid int
			fmt.Sscan(f, &pid)
			d.tree = append(d.tree, pid)
		}
	}
	return d
}

// The tree is one that ignores every other signal and has a child in a session
// of its own, the daemon one that nobody in the tree is the parent of.
func TestKillOfTheGuards(t *testing.T) {
	kills := map[string]func(*devguard) []int{
		"devguard":              func(d *devguard) []int { return []int{d.cmd.Process.Pid} },
		"warden":                func(d *devguard) []int { return []int{d.warden} },
		"guardian":              func(d *devguard) []int { return []int{d.inner} },
		"devguard and warden":   func(d *devguard) []int { return []int{d.cmd.Process.Pid, d.warden} },
		"devguard and guardian": func(d *devguard) []int { return []int{d.cmd.Process.Pid, d.inner} },
		"guardian and devguard": func(d *devguard) []int { return []int{d.inner, d.cmd.Process.Pid} },
	}
	for name, pids := range kills {
		for _, args := range [][]string{{"stubborn"}, {"daemon", "stay"}} {
			t.Run(name+" of "+args[0], func(t *testing.T) {
				d := startDevguard(t, args[0], args[1:]...)
				for _, pid := range pids(d) {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
				for _, pid := range append(d.tree, d.app) {
					eventually(t, fmt.Sprintf("the death of %d", pid), func() bool { return !alive(pid) })
				}
			})
		}
	}
}

// With all three killed nobody is left to look for the tree, yet the app dies.
func TestKillOfAllGuards(t *testing.T) {
	d := startDevguard(t, "exits", "quit")
	for _, pid := range []int{d.warden, d.inner, d.cmd.Process.Pid} {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(t, "the death of the app", func() bool { return !alive(d.app) })
}

func TestLostGuardian(t *testing.T) {
	tr := start(t, "stubborn")
	pids := tr.pids(t)
	for _, pid := range tr.Guardians() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	wait(t, "the tree to be gone", tr.Gone())
	if e := tr.Exit(); !e.Lost || e.Code != -1 {
		t.Errorf("exit %+v", e)
	}
	// Both guards at once: what left the group nobody can find.
	syscall.Kill(pids[1], syscall.SIGKILL)
	eventually(t, "the app's death", func() bool { return !alive(pids[0]) && !alive(pids[1]) })
}

// Ctrl-C and its kin reach every member of a group. Guardians are in none where
// that happens, and shrug when somebody sends it to them by hand.
func TestGuardsSurviveSignals(t *testing.T) {
	tr := start(t, "stubborn")
	tr.line(t)
	for _, guard := range tr.Guardians() {
		if group, err := syscall.Getpgid(guard); err != nil || group == syscall.Getpgrp() || group == tr.PID() {
			t.Errorf("guard %d is in group %d, %v", guard, group, err)
		}
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			if err := syscall.Kill(guard, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tr.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if res := tr.Stop(t.Context(), proc.StopSpec{Grace: 100 * time.Millisecond}); !res.Killed || tr.Exit().Lost {
		t.Errorf("result %+v, exit %+v", res, tr.Exit())
	}
}

// A kill of a guardian in the middle of its own kill.
func TestKillOfTheGuardianDuringStop(t *testing.T) {
	tr := start(t, "spawner")
	tr.line(t)
	inner := tr.Guardians()[1]
	res := tr.Stop(t.Context(), proc.StopSpec{Note: func([]int) { syscall.Kill(inner, syscall.SIGKILL) }})
	if len(res.Left) > 0 {
		t.Errorf("result %+v", res)
	}
}
