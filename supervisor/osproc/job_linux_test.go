package osproc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
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
