//go:build !linux && !darwin

package proc

import (
	"errors"
	"net"
	"os"
	"runtime"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// Guardian returns at once: there are no guardians on this system.
func Guardian() {}

func spawn() (*guardian, error) {
	return nil, logline.WithHint(errors.New("devguard cannot run an app on "+runtime.GOOS+": it needs process groups and parent-death notice of Linux or macOS"), "on Windows use WSL 2")
}

func sendFiles(*net.UnixConn, []byte, [3]*os.File) error { return errors.ErrUnsupported }

func receiveEvent(*net.UnixConn) (event, *os.File, error) { return event{}, nil, errors.ErrUnsupported }

func ownGroup() int { return 0 }
func endGroup(int)  {}

// terminal is never lent on this system.
type terminal struct{}

func newTerminal(*os.File, int) *terminal { return nil }
func (*terminal) save()                   {}
func (*terminal) takeBack(int)            {}

func noexec(string) bool { return false }

func members(int, ...int) []osproc.Process { return nil }
