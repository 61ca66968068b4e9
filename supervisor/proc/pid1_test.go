//go:build linux

package proc_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/testneed"
)

// As process 1 of a container: orphans that nobody else takes are reaped,
// signals arrive, what is stopped goes on, the exit code is the program's.
func TestProcessOne(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_ORPHANS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		testneed.Skip(t, "namespace", err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "orphans reaped" {
		t.Fatalf("it said %q", lines.Text())
	}
	if !lines.Scan() || lines.Text() != "continued" {
		t.Fatalf("stopped, it said %q", lines.Text())
	}
	cmd.Process.Signal(syscall.SIGTERM)
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("exit: %v", err)
	}
}

// makeOrphans is the program of that test. Its own child's status must be there
// for it, its grandchildren's not stay as zombies.
func makeOrphans() {
	terminated := notify(syscall.SIGTERM)
	// Private first: a mount must not be seen outside.
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("proc", "/proc", "proc", 0, "")
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	for range 20 {
		if err := exec.Command("sh", "-c", "(sleep 0.01 &) ; exit 3").Run(); err == nil || err.Error() != "exit status 3" {
			os.Stdout.WriteString("a status was lost\n")
			os.Exit(1)
		}
	}
	for zombies() {
		exec.Command("sleep", "0.005").Run()
	}
	os.Stdout.WriteString("orphans reaped\n")
	osproc.StopSelf() // like Ctrl-Z
	os.Stdout.WriteString("continued\n")
	<-terminated
	os.Exit(42)
}

// zombies: everything but process 1, this one, and the ps that looks.
func zombies() bool {
	out, err := exec.Command("ps", "-e", "-o", "comm=").Output()
	return err != nil || strings.Count(string(out), "\n") > 3
}
