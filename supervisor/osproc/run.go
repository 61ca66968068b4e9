package osproc

import (
	"errors"
	"os/exec"
)

// Run is cmd.Run, but for one thing: that somebody else has the command's output open for longer than cmd.WaitDelay
// is no error when it has ended well. On a busy machine a process that we start elsewhere at that moment has, until
// it is executed, which takes a while with the least priority.
func Run(cmd *exec.Cmd) error { return endedWell(cmd.Run()) }

func endedWell(err error) error {
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}
