//go:build unix

package osproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asVictim makes the test binary a process that runs the script "$1" in a Group
// or a Session, to be killed.
const asVictim = "OSPROC_TEST_VICTIM"

func TestMain(m *testing.M) {
	if kind := os.Getenv(asVictim); kind != "" {
		if err := starters[kind](exec.Command("sh", "-c", os.Args[1])); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	if os.Getenv("OSPROC_TEST_JOB") != "" {
		fmt.Println(ignoresJobStop(), Continuable()) // see TestJob
		return
	}
	if os.Getenv(asStopped) != "" {
		startUnderJobStops() // see TestCtrlZWhileSomethingIsStarted
		return
	}
	os.Exit(m.Run())
}

// asStopped makes the test binary a process that starts commands in groups of their own, and catches SIGTSTP.
const asStopped = "OSPROC_TEST_STOPPED"

func startUnderJobStops() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTSTP)
	fmt.Println("catches SIGTSTP")
	for range 150 {
		g, err := NewGroup()
		if err == nil {
			err = g.Run(exec.Command("true"))
			g.Close(time.Second)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		runtime.GC() // it would wait for a thread that waits for a stopped child
	}
	fmt.Print("done")
}

// starters run a command to its end.
var starters = map[string]func(*exec.Cmd) error{
	"group": func(cmd *exec.Cmd) error {
		g, err := NewGroup()
		if err != nil {
			return err
		}
		defer g.Close(time.Second)
		return g.Run(cmd)
	},
	"session": func(cmd *exec.Cmd) error {
		s, err := StartSession(cmd)
		if err != nil {
			return err
		}
		defer s.Release()
		defer s.Kill()
		return cmd.Wait()
	},
}

// eventually polls until ok or 10 s have passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// background is a script that leaves a process which ignores what it can; its
// pid is then in the file.
func background(file string) string {
	return `(trap "" HUP TERM; exec sleep 600) & echo $! >'` + file + `.new' && mv '` + file + `.new' '` + file + `'`
}

func pidIn(t *testing.T, file string) (pid int) {
	t.Helper()
	eventually(t, "a pid in "+file, func() bool {
		b, _ := os.ReadFile(file)
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// What a command leaves in its group ends with the group.
func TestNothingIsLeft(t *testing.T) {
	for kind, run := range starters {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			if err := run(exec.Command("sh", "-c", background(file))); err != nil {
				t.Fatal(err)
			}
			pid := pidIn(t, file)
			eventually(t, "the end of the background process", func() bool { return !Alive(pid) })
		})
	}
}

// Whoever runs the command is killed: the command dies, and what it has started.
func TestNothingOutlivesUs(t *testing.T) {
	for kind := range starters {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			cmd := exec.Command(os.Args[0], background(file)+"; wait")
			cmd.Env = append(os.Environ(), asVictim+"="+kind)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid := pidIn(t, file)
			p, _ := Look(pid)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			eventually(t, "the end of the background process", func() bool { return !Alive(pid) })
			eventually(t, "the end of its group", func() bool { return p.Group <= 1 || !GroupAlive(p.Group) })
		})
	}
}

func TestGroupKill(t *testing.T) {
	g, err := NewGroup()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(time.Second)
	file := filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command("sh", "-c", background(file)+"; wait")
	done := make(chan error, 1)
	go func() { done <- g.Run(cmd) }()
	pid := pidIn(t, file)
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if err := <-done; KilledBy(cmd.ProcessState) != "SIGKILL" {
		t.Errorf("ended with %v", err)
	}
	eventually(t, "the end of the background process", func() bool { return !Alive(pid) })
}

// A Session's command leads its session and has no terminal; a missing program is
// the one that was asked for, not the shell before it.
func TestSession(t *testing.T) {
	cmd := exec.Command("sh", "-c", `(: </dev/tty) 2>/dev/null || echo no tty`)
	var out strings.Builder
	cmd.Stdout = &out
	if err := starters["session"](cmd); err != nil || out.String() != "no tty\n" {
		t.Errorf("%v %q", err, out.String())
	}
	_, err := StartSession(&exec.Cmd{Path: "/no/such/program", Args: []string{"program"}, Dir: "/no/such/dir"})
	var path *os.PathError
	if !errors.As(err, &path) || strings.HasSuffix(path.Path, "sh") {
		t.Errorf("got %v", err)
	}
}

func TestSignalName(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", 250: "signal 250"} {
		if got := SignalName(sig); got != want {
			t.Errorf("%d: %s, want %s", int(sig), got, want)
		}
	}
	for name, sig := range StopSignals {
		if SignalName(sig) != name {
			t.Errorf("%s is called %s", name, SignalName(sig))
		}
	}
}
