package proc

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// runInit is process 1 of a container: it runs the program as its child and
// reaps whatever else becomes its child. The work of devguard is left to the
// child, so no wait for any pid can steal a status that os/exec waits for.
// The child gets a group of its own, in the foreground of the terminal if there
// is one, so that Ctrl-C reaches it once and not twice.
func runInit() int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	pid, err := osproc.Apart(func() (int, error) { // devguard takes SIGTSTP again when it asks for it (os/signal)
		return syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true},
		})
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "devguard: error: as process 1, start myself as a child: %v\n", err)
		return 1
	}
	takeForeground(os.Stdin, ownGroup(), pid)
	_ = unix.Kill(-pid, unix.SIGCONT) // it may have been stopped for using the terminal too early, and see StartApart
	for sig := range signals {
		switch sig {
		case unix.SIGCHLD:
			if code, ok := reapAll(pid); ok {
				return code
			}
		case unix.SIGURG, unix.SIGPIPE, unix.SIGTTOU, unix.SIGTTIN: // the Go runtime's, and our own
		default:
			_ = unix.Kill(pid, sig.(syscall.Signal))
		}
	}
	return 1
}

// reapAll reaps what there is; when pid was among it, ok, and code is what a
// shell would make of its status. Process 1 has no shell that could continue
// what Ctrl-Z has stopped: it goes on at once.
func reapAll(pid int) (code int, ok bool) {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || got == 0:
			return code, ok
		case ws.Stopped() && got == pid:
			_ = unix.Kill(-got, unix.SIGCONT)
		case ws.Stopped(): // an orphan, stopped by whoever can continue it
		case got == pid && ws.Signaled():
			code, ok = 128+int(ws.Signal()), true
		case got == pid:
			code, ok = ws.ExitStatus(), true
		}
	}
}
