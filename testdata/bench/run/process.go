// Package run has what the benchmarks share: the programs that they build and run, ports for them, and
// numbers for their tables.
package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is one program in a process group of its own, so that Ctrl-C reaches
// us alone and we end it in order.
type Process struct {
	Cmd  *exec.Cmd
	Log  string        // the file of its output
	Done chan struct{} // closed when it has exited
}

// Start runs argv in dir, as the account of credential if there is one; its output is added to the file log.
func Start(dir, log string, env []string, credential *syscall.Credential, argv ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(env[:len(env):len(env)], "PWD="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(argv[0]), err)
	}
	p := &Process{Cmd: cmd, Log: log, Done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.Done)
	}()
	return p, nil
}

// Stop sends sig to the group, and SIGKILL when grace is over. It returns when
// the process has exited.
func (p *Process) Stop(sig syscall.Signal, grace time.Duration) {
	syscall.Kill(-p.Cmd.Process.Pid, sig)
	select {
	case <-p.Done:
	case <-time.After(grace):
	}
	syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.Done
}

// Exited says how the process ended, with the end of its output, or nil while
// it runs.
func (p *Process) Exited() error {
	select {
	case <-p.Done:
		return fmt.Errorf("%s ended (%s); the end of its output:\n%s",
			filepath.Base(p.Cmd.Path), p.Cmd.ProcessState, Tail(p.Log))
	default:
		return nil
	}
}

// Tail returns the last 15 lines of a file, or why it cannot be read.
func Tail(file string) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-15):], []byte("\n"))
}

// Do runs a command to its end; an error has its output.
func Do(ctx context.Context, dir string, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(env[:len(env):len(env)], "PWD="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
