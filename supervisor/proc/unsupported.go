//go:build !linux && !darwin

package proc

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"

	"github.com/devguard/devguard/supervisor/logline"
)

// Guardian returns at once: there are no guardians on this system.
func Guardian() {}

func spawn() (*guardian, error) {
	return nil, logline.WithHint(errors.New("devguard cannot run an app on "+runtime.GOOS+": it needs process groups and parent-death notice of Linux or macOS"), "on Windows use WSL 2")
}

func sendFiles(*net.UnixConn, []byte, [3]*os.File) error { return errors.ErrUnsupported }

func ownGroup() int                        { return 0 }
func endGroup(int)                         {}
func takeForeground(*os.File, int, int)    {}
func signalName(sig syscall.Signal) string { return sig.String() }
func noexec(string) bool                   { return false }

type member struct {
	pid    int
	zombie bool
}

func members(int, ...int) []member { return nil }
