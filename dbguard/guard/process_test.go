//go:build unix

package guard

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

func testPid() int { return os.Getpid() }

func stopProcess(t *testing.T, pid string) {
	t.Helper()
	signalProcess(t, pid, syscall.SIGSTOP)
	t.Cleanup(func() { n, _ := strconv.Atoi(pid); _ = syscall.Kill(n, syscall.SIGCONT) })
}

func continueProcess(t *testing.T, pid string) {
	t.Helper()
	signalProcess(t, pid, syscall.SIGCONT)
}

func signalProcess(t *testing.T, pid string, sig syscall.Signal) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, sig); err != nil {
		testneed.Skip(t, "root", err)
	}
}
