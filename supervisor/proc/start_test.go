//go:build linux

package proc_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/proc"
)

func TestExit(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want proc.Exit
	}{
		{[]string{"code", "0"}, proc.Exit{}},
		{[]string{"code", "7"}, proc.Exit{Code: 7}},
		{[]string{"panic"}, proc.Exit{Code: 2}},
		{[]string{"signal", "9"}, proc.Exit{Code: -1, Signal: "SIGKILL"}},
		{[]string{"signal", "15"}, proc.Exit{Code: -1, Signal: "SIGTERM"}},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			tr := start(t, "exits", tc.args...)
			wait(t, "the end", tr.Gone())
			if got := tr.Exit(); got != tc.want {
				t.Errorf("exit %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestExitEndsTheRestOfTheTree(t *testing.T) {
	tr := start(t, "daemon", "leave")
	daemon := tr.pids(t)[0]
	wait(t, "the end", tr.Gone())
	if alive(daemon) {
		t.Error("the daemon of an app that exited is alive")
	}
}

// What a shell would have given: three files, no signal ignored or blocked, the
// limits that devguard was started with, the very arguments and environment. The
// programs asked are no Go programs: that runtime changes limits and signals.
func TestTheAppInheritsNothingElse(t *testing.T) {
	dir := t.TempDir()
	limit, err := exec.Command("sh", "-c", "ulimit -n").Output() // os/exec restores the limit
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(dir, syscall.O_RDONLY, 0) // not close-on-exec, on purpose
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var l proc.Launcher
	defer l.Close()
	for _, tc := range []struct {
		path string
		args []string
		want string
	}{
		{"ls", []string{"/proc/self/fd"}, "0\n1\n2\n3\n"}, // 3 is ls reading that directory
		{"grep", []string{"-E", "^Sig(Blk|Ign)", "/proc/self/status"}, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"},
		{"sh", []string{"-c", "ulimit -n"}, string(limit)},
		{"pwd", nil, dir + "\n"},
		{"printf", []string{"%s,", "a b", "", "\xff"}, "a b,,\xff,"},
		{"sh", []string{"-c", `ps -o pgid= -p $$ | grep -cw $$`}, "1\n"},
	} {
		if err := l.Prepare(); err != nil {
			t.Fatal(err)
		}
		tr := startWith(t, &l, proc.Spec{Path: tc.path, Args: tc.args, Dir: dir})
		if got := tr.rest(t); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.path, tc.args, got, tc.want)
		}
	}
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	// nohup devguard: the app outlives the terminal as well. 1 is SIGHUP's bit.
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_DEVGUARD=sh", "PROC_TEST_ARGS=-c grep${IFS}SigIgn${IFS}/proc/$$/status")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "SigIgn:\t0000000000000001\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy, err := os.OpenFile(write("busy", "#!/bin/sh\n", 0o755), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, tc := range []struct {
		name string
		spec proc.Spec
		want error
		hint string
	}{
		{"no file", proc.Spec{Path: filepath.Join(dir, "none")}, syscall.ENOENT, "no such file"},
		{"relative to Dir", proc.Spec{Path: "./none", Dir: dir}, syscall.ENOENT, "no such file"},
		{"not in PATH", proc.Spec{Path: "no-such-command"}, exec.ErrNotFound, "PATH"},
		{"no interpreter", proc.Spec{Path: write("script", "#!/no/such\n", 0o755)}, syscall.ENOENT, "interpreter"},
		{"not executable", proc.Spec{Path: write("plain", "x", 0o644)}, syscall.EACCES, "chmod +x"},
		{"a directory", proc.Spec{Path: dir}, syscall.EACCES, "directory"},
		{"no program", proc.Spec{Path: write("text", "hello", 0o755)}, syscall.ENOEXEC, "GOOS"},
		{"busy", proc.Spec{Path: busy.Name()}, syscall.ETXTBSY, "writing"},
		{"no working directory", proc.Spec{Path: "sh", Dir: filepath.Join(dir, "gone")}, syscall.ENOENT, "create the directory"},
		{"a file as working directory", proc.Spec{Path: "sh", Dir: busy.Name()}, syscall.ENOTDIR, "directory"},
		{"too many arguments", proc.Spec{Path: "sh", Args: []string{strings.Repeat("x", 1<<20)}}, syscall.E2BIG, "larger"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := new(proc.Launcher).Start(t.Context(), tc.spec)
			var start *proc.StartError
			if !errors.As(err, &start) || !errors.Is(err, tc.want) || !strings.Contains(start.Hint(), tc.hint) {
				t.Errorf("got %v (%+v), want %v and a hint with %q", err, start, tc.want, tc.hint)
			}
		})
	}
}

func TestStartIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mark := newMark()
	i, err := new(proc.Launcher).Start(ctx, proc.Spec{Path: app(t, "stubborn"), Env: append(os.Environ(), mark)})
	if i != nil {
		// It was executed before ctx was looked at.
		i.Stop(ctx, proc.StopSpec{Note: func([]int) {}})
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNone(t, mark)
}

func TestOutputNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	i, err := new(proc.Launcher).Start(t.Context(), proc.Spec{Path: app(t, "exits"), Args: []string{"print", "100000"}, Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the end", i.Gone())
	if got := i.Exit(); got.Signal != "SIGPIPE" {
		t.Errorf("exit %+v, want what a shell's pipe would do", got)
	}
}

// A reader of the app's output sees its end when the app ends, although a
// guardian is there before and after.
func TestGuardiansHoldNoOutput(t *testing.T) {
	var l proc.Launcher
	defer l.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := l.Prepare(); err != nil {
		t.Fatal(err)
	}
	i, err := l.Start(t.Context(), proc.Spec{Path: app(t, "exits"), Args: []string{"print", "5"}, Stdout: w})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prepare(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 10)
	n, _ := r.Read(b)
	if _, err := r.Read(b); n != 5 || err == nil || os.IsTimeout(err) {
		t.Errorf("read %d bytes, then %v", n, err)
	}
	wait(t, "the end", i.Gone())
}

func TestPreparedGuardianThatWasKilled(t *testing.T) {
	var l proc.Launcher
	defer l.Close()
	if err := l.Prepare(); err != nil {
		t.Fatal(err)
	}
	var idle []int
	eventually(t, "warden and guardian", func() bool { idle = descendants(os.Getpid()); return len(idle) == 2 })
	for _, pid := range idle {
		syscall.Kill(pid, syscall.SIGKILL)
		eventually(t, "its death", func() bool { return !alive(pid) })
	}
	tr := startWith(t, &l, proc.Spec{Path: app(t, "exits"), Args: []string{"code", "4"}})
	wait(t, "the end", tr.Gone())
	if got := tr.Exit(); got.Code != 4 {
		t.Errorf("exit %+v", got)
	}
}
