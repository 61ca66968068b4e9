package embedded

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/devguard/devguard/supervisor/logline"
)

const exeSuffix = ".exe"

const (
	fastShutdown      = syscall.SIGINT
	immediateShutdown = syscall.SIGQUIT
)

// supported stops Acquire before anything below is used: Windows has no flock that a killed process
// drops in time, and no signals to stop a server with.
func supported() error {
	return logline.WithHint(errors.New("the embedded Postgres is not available on Windows"), "run devguard in WSL, or set DATABASE_URL to a server of yours")
}

func setCredential(*exec.Cmd, *Account)               {}
func detach(*exec.Cmd)                                {}
func flock(*os.File, bool, bool) (bool, error)        { return false, supported() }
func closeOnExec(*os.File)                            {}
func owner(os.FileInfo) int                           { return -1 }
func signalPid(int, syscall.Signal)                   {}
func leftovers(string) (postmaster int, others []int) { return 0, nil }

func notServer(int, string) bool { return false }
