package examine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/proc"
)

// listenFlag makes a process of devguard listen at the address that follows, once.
const listenFlag = "--listen-once"

// Listener must be called by main before anything else. In an ordinary process it returns false at
// once; in one that tries held sockets it is the app, and returns true when that has ended.
func Listener() (code int, is bool) {
	if len(os.Args) < 3 || os.Args[1] != listenFlag {
		return 0, false
	}
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		return 1, true
	}
	l.Close()
	return 0, true
}

// sockets tries whether listening sockets outlive a generation.
func sockets(ctx context.Context, cfg *config.Config) doctor.Sockets {
	s := doctor.Sockets{Wanted: cfg.App.HoldSockets}
	if !s.Wanted {
		return s
	}
	t := &try{}
	t.holder = listeners.New(t.hear)
	defer t.holder.Close()
	if !t.holder.Wanted() {
		s.System = runtime.GOOS
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, tryWait)
	defer cancel()
	s.Refused = t.run(ctx, cfg.App.Command)
	return s
}

// tryWait bounds the try: two processes that start and end, which takes some 50 ms.
const tryWait = 10 * time.Second

// try is two generations of a program that listens at one address.
type try struct {
	holder *listeners.Holder

	mu   sync.Mutex
	said []doctor.Trouble
}

// hear keeps why a socket is not held.
func (t *try) hear(l logline.Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var one doctor.Trouble
	for _, a := range l.Attrs {
		switch a.Key {
		case "reason":
			one.Text = a.Value.String()
		case "hint":
			one.Fix = a.Value.String()
		}
	}
	t.said = append(t.said, one)
}

// refused is the first thing that was said.
func (t *try) refused() *doctor.Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.said) == 0 {
		return nil
	}
	return &t.said[0]
}

// run returns why it did not work, nil when it did. The guardian looks at the program that it starts, and
// at what a shell behind it is to do: the user's command follows as arguments that nobody reads.
func (t *try) run(ctx context.Context, command []string) *doctor.Trouble {
	if len(command) > 0 {
		path, err := exec.LookPath(command[0])
		if has := osproc.Privileges(path); err == nil && has != "" {
			return &doctor.Trouble{Text: path + " " + has}
		}
	}
	address, err := freeAddress()
	if err != nil {
		return &doctor.Trouble{Text: err.Error()}
	}
	program, err := os.Executable()
	if err != nil {
		return &doctor.Trouble{Text: err.Error()}
	}
	launcher := new(proc.Launcher)
	defer launcher.Close()
	args := slices.Concat([]string{listenFlag, address.String()}, command)
	for gen := 1; gen <= 2; gen++ {
		if err := t.generation(ctx, launcher, gen, proc.Spec{Path: program, Args: args, Filter: true}); err != nil {
			return &doctor.Trouble{Text: err.Error(), Fix: logline.HintOf(err)}
		}
		if refused := t.refused(); refused != nil {
			return refused
		}
		if !t.holder.Holds(int(address.Port())) {
			return &doctor.Trouble{Text: "a socket that a process listened on was not seen"}
		}
	}
	return nil
}

// generation starts the program and waits for its end.
func (t *try) generation(ctx context.Context, launcher *proc.Launcher, gen int, spec proc.Spec) error {
	tree, err := launcher.Start(ctx, spec)
	if err != nil {
		return err
	}
	filter, refused := tree.Filter()
	t.holder.Started(gen, filter, refused, tree.Pids)
	select {
	case <-tree.Done():
		t.holder.Exited(gen)
	case <-ctx.Done():
		t.holder.Stopping(gen)
	}
	tree.Stop(ctx, proc.StopSpec{})
	t.holder.Ended(gen)
	if code := tree.Exit().Code; code != 0 {
		return errors.Join(errors.New("a program that listens has failed"), ctx.Err())
	}
	return nil
}

// freeAddress is one of loopback that nobody listens at.
func freeAddress() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
