package proc_test

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCtrlZBeforeTheGuardianHasItsGroup: it waits behind the signal mask, and stops nobody once that
// is open. Here it comes just before the guardian is executed.
func TestCtrlZBeforeTheGuardianHasItsGroup(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_CTRL_Z=yes")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	ours.Close() // an idle guardian ends by that
	stuck := time.AfterFunc(20*time.Second, func() {
		t.Error("the guardian does not end")
		cmd.Process.Kill()
	})
	defer stuck.Stop()
	cmd.Wait()
}

// becomeGuardian has a Ctrl-Z wait for this process when it becomes a guardian.
func becomeGuardian() {
	runtime.LockOSThread()
	set := &unix.Sigset_t{}
	set.Val[0] = 1 << (unix.SIGTSTP - 1)
	err := unix.PthreadSigmask(unix.SIG_BLOCK, set, nil)
	if err == nil {
		err = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTSTP)
	}
	os.Unsetenv("PROC_TEST_CTRL_Z")
	if err == nil {
		err = unix.Exec("/proc/self/exe", []string{"guardian", "--stage", "warden"}, os.Environ())
	}
	panic(err)
}
