package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// guardianArg is the first argument of a process that is a guardian.
const guardianArg = "__devguard_embedded_postgres__"

// Guardian runs the guardian of an embedded Postgres and ends the process, if this process was
// started as one; otherwise it returns at once. main and TestMain of every program that calls
// Acquire call it first.
func Guardian() {
	if len(os.Args) != 3 || os.Args[1] != guardianArg {
		return
	}
	// The kernel ends the server when the thread that started it ends: it has to be one that lives
	// as long as the process.
	runtime.LockOSThread()
	var err error
	switch os.Args[2] {
	case "start":
		err = startGuardian(inherited())
	case "run":
		err = runGuardian(inherited())
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "embedded Postgres:", err)
		os.Exit(1) // a process of its own: nothing of a devguard's is left behind
	}
	os.Exit(0)
}

// inherited returns the files that launch passed: where to reply, and the locked guardian.lock.
func inherited() (answer, lock *os.File) {
	answer, lock = os.NewFile(3, "reply"), os.NewFile(4, "guardian.lock")
	closeOnExec(answer)
	closeOnExec(lock)
	return answer, lock
}

// startGuardian is the short-lived parent: it opens the log and leaves.
func startGuardian(answer, lock *os.File) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var sp spec
	if err := json.Unmarshal(text, &sp); err != nil {
		return fmt.Errorf("this is an internal command of devguard: %w", err)
	}
	log, err := newLog(sp.Layout.log())
	if err != nil {
		return err
	}
	defer log.Close()
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	self, err := osproc.Self()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, guardianArg, "run")
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, log, log
	cmd.ExtraFiles = []*os.File{answer, lock}
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Close()
}

// newLog keeps the log of the run before: it may say why that one ended.
func newLog(path string) (*os.File, error) {
	_ = os.Rename(path, path+".old") // none before the first run
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// runGuardian serves until the last share is dropped or a signal asks for the end. It holds the
// exclusive lock on the shares while it stops the server.
func runGuardian(answer, lock *os.File) error {
	defer lock.Close()
	var sp spec
	if err := json.NewDecoder(os.Stdin).Decode(&sp); err != nil {
		return fmt.Errorf("this is an internal command of devguard: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("guardian", os.Getpid())
	signal.Ignore(syscall.SIGHUP)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	share, err := openLock(sp.Layout.share())
	if err != nil {
		return respond(answer, err)
	}
	// This goroutine ends when it has the lock, or with the process: nothing else interrupts a
	// blocking flock.
	go func() {
		if _, err := flock(share, true, true); err != nil {
			log.Error("wait for the last devguard", "err", err)
		}
		cancel()
	}()
	p, err := bringUp(ctx, sp, log)
	if err != nil {
		return respond(answer, err)
	}
	if err := respond(answer, nil); err != nil {
		log.Warn("the devguard that started this server is gone", "err", err)
	}
	err = keepUp(ctx, sp, p, log)
	runtime.KeepAlive(share)
	return err
}

// respond tells the waiting devguard how the start went and returns err.
func respond(answer *os.File, err error) error {
	var r reply
	if err != nil {
		r.Error, r.Hint = err.Error(), logline.HintOf(err)
	}
	if werr := json.NewEncoder(answer).Encode(r); err == nil {
		err = werr
	}
	answer.Close()
	return err
}

// keepUp waits for the end. A server that somebody killed is started again on its port.
func keepUp(ctx context.Context, sp spec, p *postmaster, log *slog.Logger) error {
	var deaths []time.Time
	for {
		select {
		case <-ctx.Done():
			p.stop(log)
			return nil
		case <-p.done:
		}
		if ctx.Err() != nil {
			return nil
		}
		deaths = append(deaths, time.Now())
		if hopeless(deaths) {
			return fmt.Errorf("the server keeps ending by itself: %v", p.cmd.ProcessState)
		}
		log.Warn("the server ended by itself, starting it again", "state", p.cmd.ProcessState.String())
		sp.Ports = []int{p.port}
		var err error
		if p, err = bringUp(ctx, sp, log); err != nil {
			return err
		}
	}
}

// hopeless reports whether the server has died three times in a minute. That is a guess at when
// starting it again does not help.
func hopeless(deaths []time.Time) bool {
	n := len(deaths)
	return n >= 3 && deaths[n-1].Sub(deaths[n-3]) < time.Minute
}
