package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// endLeftovers ends a server that lost its guardian, and sessions that lost their server. The
// caller holds guardian.lock: none of them is in use by right.
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

// awaitNone looks again and again until no process of a server is left. They are not our children,
// so they cannot be waited for.
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

// removeStalePid removes the pid file of a server that is gone, when its pid is a zombie or, after
// a reboot, another program: a new server would refuse to start.
func removeStalePid(data string, log *slog.Logger) error {
	pid, err := postmasterPid(data)
	if err != nil || !notServer(pid, data) {
		return nil
	}
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil {
		return fmt.Errorf("remove the pid file of a server that is gone: %w", err)
	}
	log.Warn("removed the pid file of a server that is gone", "pid", pid)
	return nil
}
