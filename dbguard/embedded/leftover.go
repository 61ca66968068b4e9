package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// endLeftovers ends a server that lost its guardian, and sessions that lost
// their server. The caller holds guardian.lock: none of them is in use by right.
func endLeftovers(ctx context.Context, data string, log *slog.Logger) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration // guesses, as in stop
	}{
		{fastShutdown, 10 * time.Second},
		{immediateShutdown, 5 * time.Second},
		{syscall.SIGKILL, 5 * time.Second},
	} {
		postmaster, sessions := leftovers(data)
		if postmaster != 0 {
			log.Warn("a server was left by a guardian that was killed", "pid", postmaster, "signal", step.signal.String())
			signalPid(postmaster, step.signal)
			sessions = nil // its own to end
		}
		for _, pid := range sessions { // what they were at is lost with their server
			log.Warn("a session was left by a server that was killed", "pid", pid)
			signalPid(pid, syscall.SIGKILL)
		}
		if awaitNone(ctx, data, step.wait) {
			return removeStalePid(data, log)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("end the server left in %s: %w", data, ctx.Err())
		}
	}
	return fmt.Errorf("a server that was left in %s does not end, even by SIGKILL", data)
}

// awaitNone looks until no process of a server is left: they are not children
// of ours.
func awaitNone(ctx context.Context, data string, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		postmaster, sessions := leftovers(data)
		if postmaster == 0 && len(sessions) == 0 {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		pause(ctx)
	}
}

// removeStalePid removes a pid file whose server is provably gone: after a
// reboot its number may be another program's, and the server then refuses.
func removeStalePid(data string, log *slog.Logger) error {
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the pid file of a server that is gone: %w", err)
	}
	log.Warn("the last server was killed: its log is replayed")
	return nil
}
