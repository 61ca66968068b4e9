//go:build unix

package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// errNoGuard means that the guard could not be started, so the hook was not.
var errNoGuard = errors.New("cannot start the guard that ends the hook if devguard is killed")

// group is a process group by its id. It is signalled after its first process
// was waited for, when its id could in theory name somebody else's: but a
// kernel gives no id out again while it names a group with members, and an
// empty group's id comes round only after all the others, within the moment
// between Wait and the signal.
type group int

func (g group) terminate() { _ = unix.Kill(-int(g), unix.SIGTERM) }
func (g group) kill()      { _ = unix.Kill(-int(g), unix.SIGKILL) }

// exists reports whether the group has a process, dead ones that nobody waited
// for included. EPERM means yes: one that changed its user.
func (g group) exists() bool { return !errors.Is(unix.Kill(-int(g), 0), unix.ESRCH) }

// guarded is a started hook, with the guard that outlives us.
type guarded struct {
	group group
	guard *exec.Cmd
	line  *os.File // write end: the guard sees its end when this process dies
}

// guardScript gets the group's id on a line and then waits for the end of file,
// which only our death brings: normally the guard is killed first. An empty id
// means that we died before the hook started.
const guardScript = `read g || exit; read x; kill -KILL "-$g"`

// gateScript holds the hook back until its guard knows of it; the end of file
// means that we died before.
const gateScript = `read -r _ <&3 || exit 1; exec 3<&-; exec "$@"`

// gated makes cmd wait for a line on the pipe, whose write end it returns.
func gated(cmd *exec.Cmd) (open *os.File, shut func(), err error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNoGuard, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.Args = append([]string{"sh", "-c", gateScript, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.ExtraFiles = shell, []*os.File{r}
	return w, func() { r.Close(); w.Close() }, nil
}

// startGuarded starts cmd in a session of its own, under a guard. The guard is
// there first and knows the hook before the hook does anything: a devguard that
// is killed in between leaves nothing.
func startGuarded(cmd *exec.Cmd) (*guarded, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close()
	g := &guarded{line: w, guard: exec.Command("sh", "-c", guardScript)}
	g.guard.Stdin = r
	g.guard.Dir = "/" // must not keep a directory busy
	g.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := g.guard.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("%w: %w", errNoGuard, err)
	}

	program := cmd.Path
	open, shut, err := gated(cmd)
	if err != nil {
		g.release()
		return nil, err
	}
	defer shut()
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		g.release()
		var path *fs.PathError
		if errors.As(err, &path) {
			path.Path = program // what the user knows, not the shell before it
		}
		return nil, err
	}
	g.group = group(cmd.Process.Pid) // setsid made it the leader of its group
	// A failure means that the guard is gone, killed by somebody; the hook is
	// of more use than its guard.
	_, _ = fmt.Fprintln(w, cmd.Process.Pid)
	_, _ = fmt.Fprintln(open) // fails only if the hook was killed already
	return g, nil
}

// release ends the guard, before the end of file that it waits for.
func (g *guarded) release() {
	_ = g.guard.Process.Kill()
	_ = g.guard.Wait()
	g.line.Close()
}

// signalName names the signal that ended the process, or is empty.
func signalName(state *os.ProcessState) string {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return ""
	}
	if name := unix.SignalName(ws.Signal()); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(ws.Signal())) // a real-time signal
}
