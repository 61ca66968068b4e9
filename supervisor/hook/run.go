package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Grace is how long a cancelled hook has between SIGTERM and SIGKILL.
const Grace = 2 * time.Second

// Run runs the hook and returns when it has ended, successfully or not.
func Run(ctx context.Context, spec Spec) Result {
	begin := time.Now()
	res := run(ctx, spec)
	res.Took = time.Since(begin)
	return res
}

func run(ctx context.Context, spec Spec) Result {
	cmd, err := command(spec)
	if err != nil {
		return Result{Err: err, Code: -1}
	}
	if err := ctx.Err(); err != nil {
		return Result{Err: fmt.Errorf("hook %s was not started: %w", spec.Name, context.Cause(ctx)), Code: -1}
	}
	// The kernel sends the parent-death signal when the thread that started
	// the child ends, not the process: keep the thread (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	session, err := osproc.StartSession(cmd)
	if err != nil {
		return Result{Err: startError(spec, err), Code: -1}
	}
	defer session.Release()

	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	select {
	case err = <-waited:
	case <-ctx.Done():
		err = stop(session, waited)
	}
	session.Kill()
	return result(ctx, spec, cmd.ProcessState, err)
}

// stop ends a cancelled hook and returns what Wait said. The hook's own process
// is often a shell that dies of SIGTERM at once while what it runs still cleans
// up, so the grace is the group's, left as soon as the group is empty.
func stop(session *osproc.Session, waited <-chan error) error {
	session.Terminate()
	deadline := time.NewTimer(Grace)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()

	var err error
	ended := false
	for !ended || session.Alive() {
		select {
		case err = <-waited:
			ended, waited = true, nil
		case <-look.C:
		case <-deadline.C:
			session.Kill()
			if !ended {
				err = <-waited
			}
			return err
		}
	}
	return err
}

// command builds the exec.Cmd, without its process attributes.
func command(spec Spec) (*exec.Cmd, error) {
	env := spec.environ()
	argv := spec.argv()
	path, err := lookPath(argv[0], spec.Dir, env)
	if err != nil {
		return nil, notFound(spec, argv[0], env)
	}
	if spec.Dir != "" {
		if fi, err := os.Stat(spec.Dir); err != nil {
			return nil, fmt.Errorf("hook %s: its directory: %w", spec.Name, err)
		} else if !fi.IsDir() {
			return nil, fmt.Errorf("hook %s: its directory: %s is not a directory", spec.Name, spec.Dir)
		}
	}
	out := spec.Output
	if out == nil {
		out = os.Stderr
	}
	return &exec.Cmd{Path: path, Args: argv, Env: env, Dir: spec.Dir, Stdout: out, Stderr: out}, nil
}

// result turns what Wait said into a Result.
func result(ctx context.Context, spec Spec, state *os.ProcessState, err error) Result {
	res := Result{Code: state.ExitCode(), Signal: osproc.KilledBy(state)}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return res
	case ctx.Err() != nil:
		res.Err = fmt.Errorf("hook %s was cancelled: %w", spec.Name, context.Cause(ctx))
	case !errors.As(err, &exit):
		res.Err = fmt.Errorf("hook %s: %w", spec.Name, err)
	case res.Signal != "":
		res.Err = fmt.Errorf("hook %s was killed by %s", spec.Name, res.Signal)
	case (res.Code == 127 || res.Code == 126) && spec.Shell != "":
		res.Err = shellError(spec, res.Code)
	default:
		res.Err = fmt.Errorf("hook %s failed with exit code %d", spec.Name, res.Code)
		res.byHand = spec.byHand()
	}
	return res
}
