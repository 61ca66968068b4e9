//go:build linux

package statedir_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/statedir"
)

var testRun = strings.Repeat("5eed", 8)

// startApps leaves what an unguarded devguard would: an app with a child in its
// group, one whose leader has gone, a daemon with only the run's label, a
// stranger in a group of its own that is none of ours, and the app's own program
// started by somebody else.
func startApps(s *statedir.Dir) {
	launch := func(attr *syscall.SysProcAttr, env string, gen int, script string) *exec.Cmd {
		c := exec.Command("sh", "-c", script)
		c.SysProcAttr = attr
		c.Env = append(os.Environ(), env, "DEVGUARD_NAME=app", fmt.Sprintf("DEVGUARD_GEN=%d", gen))
		r, w, _ := os.Pipe()
		c.Stdout = w
		if err := c.Start(); err != nil {
			panic(err)
		}
		var inner int
		fmt.Fscan(r, &inner)
		fmt.Println(c.Process.Pid, inner)
		return c
	}
	group := &syscall.SysProcAttr{Setpgid: true}
	one := launch(group, "X=1", 1, "sleep 300 & echo $!; wait")
	s.RecordInstance(1, one.Process.Pid)
	two := launch(group, "X=1", 2, "sleep 300 & echo $!; wait")
	s.RecordInstance(2, two.Process.Pid)
	two.Process.Kill()
	two.Wait()
	s.AddRun(testRun)
	launch(&syscall.SysProcAttr{Setsid: true}, "PGAPPNAME=devguard:"+testRun+":2", 7, "sleep 300 & echo $!; wait")
	launch(group, "PGAPPNAME=devguard:"+strings.Repeat("beef", 8)+":2", 1, "sleep 300 & echo $!; wait")
	program := filepath.Join(s.Path(), "2", "app")
	os.MkdirAll(filepath.Dir(program), 0o700)
	exec.Command("cp", "-L", "/bin/sleep", program).Run()
	// Before it is executed, the child is a copy of the shell.
	executed := ` until [ "$(readlink /proc/$!/exe)" = '` + program + `' ]; do :; done; echo $!; wait`
	launch(&syscall.SysProcAttr{Setsid: true}, "X=1", 2, program+" 300 &"+executed)
	launch(&syscall.SysProcAttr{Setsid: true}, "X=1", 2, "DEVGUARD_NAME= "+program+" 300 &"+executed)
}

func TestLeftoversOfAKilledDevguard(t *testing.T) {
	dir := t.TempDir()
	killed, said := holder(t, dir, "STATE_TEST_APP=1")
	killed.Process.Kill()
	killed.Wait()
	pids := make([][2]int, len(said))
	for i, line := range said {
		fmt.Sscan(line, &pids[i][0], &pids[i][1])
	}
	strangers := append(pids[3][:], pids[5][:]...)
	t.Cleanup(func() {
		for _, pid := range strangers {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	want := []int{pids[0][0], pids[0][1], pids[1][1], pids[2][0], pids[2][1], pids[4][1]}
	slices.Sort(want)

	s := open(t, dir)
	if got := sorted(s.Leftovers()); !slices.Equal(got, want) {
		t.Errorf("leftovers %v, want %v", got, want)
	}
	ended, err := s.EndLeftovers(t.Context())
	if got := sorted(ended); err != nil || !slices.Equal(got, want) {
		t.Errorf("ended %v, %v, want %v", got, err, want)
	}
	for _, pid := range want {
		if alive(pid) {
			t.Errorf("%d is alive", pid)
		}
	}
	for _, pid := range strangers {
		if !alive(pid) {
			t.Errorf("%d is not ours and was killed", pid)
		}
	}
	if err := s.ForgetRun(testRun); err != nil {
		t.Error(err)
	}
	s.Close()
	if again := open(t, dir).Leftovers(); len(again) > 0 {
		t.Errorf("once more %v", again)
	}
}

// A pid that somebody else has now must not be touched.
func TestLeftoverWithAnotherStartTime(t *testing.T) {
	dir := t.TempDir()
	other := exec.Command("sleep", "300")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	s := open(t, dir)
	if err := s.RecordInstance(1, other.Process.Pid, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	path := filepath.Join(s.Path(), "instances.json")
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte(` `)) {
		t.Fatalf("%s %v", b, err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(` `), []byte(` 1`)), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if ended, err := s.EndLeftovers(t.Context()); err != nil || len(ended) > 0 || !alive(other.Process.Pid) {
		t.Errorf("ended %v, %v", ended, err)
	}
}

// A guardian that is alive gets the first chance, and one that does nothing is
// not waited for beyond ctx.
func TestEndLeftoversIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	guard := exec.Command("sleep", "300")
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { guard.Process.Kill(); guard.Wait() }()
	s := open(t, dir)
	if err := s.RecordInstance(1, guard.Process.Pid, guard.Process.Pid); err != nil {
		t.Fatal(err)
	}
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(t, dir).EndLeftovers(ctx); err == nil || !alive(guard.Process.Pid) {
		t.Errorf("got %v", err)
	}
}

func sorted(left []statedir.Leftover) []int {
	var pids []int
	for _, l := range left {
		pids = append(pids, l.PID)
	}
	slices.Sort(pids)
	return pids
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(b, []byte(") Z "))
}
