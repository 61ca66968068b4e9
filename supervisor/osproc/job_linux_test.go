package osproc

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestJob: the test binary is a process that says what it knows of job control.
func TestJob(t *testing.T) {
	group, session := &syscall.SysProcAttr{Setpgid: true}, &syscall.SysProcAttr{Setsid: true}
	for name, tt := range map[string]struct {
		script string
		attr   *syscall.SysProcAttr
		want   string // ignored, continuable
	}{
		"a job":                   {`exec "$0"`, group, "false true\n"},
		"a job of two processes":  {`"$0"; true`, group, "false true\n"},
		"of a shell that ignores": {`trap '' TSTP; exec "$0"`, group, "true true\n"},
		"without a shell":         {`exec "$0"`, session, "false false\n"},
		"below one without":       {`"$0"; true`, session, "false false\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", tt.script, os.Args[0])
			cmd.Env = append(os.Environ(), "OSPROC_TEST_JOB=yes")
			cmd.SysProcAttr = tt.attr
			out, err := cmd.CombinedOutput()
			if string(out) != tt.want || err != nil {
				t.Errorf("%q %v, want %q", out, err, tt.want)
			}
		})
	}
}

// TestCtrlZWhileSomethingIsStarted: a child on the way to its own group is not stopped by what our group is sent.
func TestCtrlZWhileSomethingIsStarted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asStopped+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	first, _ := said.ReadString('\n') // before, SIGTSTP would stop it
	if first != "catches SIGTSTP\n" {
		t.Fatal(first)
	}
	rest := make(chan string)
	go func() {
		text, _ := io.ReadAll(said)
		rest <- string(text)
	}()
	limit, often := time.After(time.Minute), time.NewTicker(100*time.Microsecond)
	defer often.Stop()
	for {
		select {
		case <-often.C:
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGTSTP)
		case <-limit:
			t.Error("it hangs")
			all := Processes() // before its children are somebody else's
			_ = cmd.Process.Kill()
			for _, p := range all {
				if p.PPID == cmd.Process.Pid {
					p.Kill()
				}
			}
		case text := <-rest:
			if err := cmd.Wait(); err != nil || text != "done" {
				t.Errorf("%q %v", text, err)
			}
			return
		}
	}
}
