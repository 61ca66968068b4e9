package supervisor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/proc"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
	"github.com/devguard/devguard/supervisor/watch"
)

// Options are what a Supervisor is made of. All but Keys and ConfigBytes are
// required.
type Options struct {
	Config *config.Config
	// LoadConfig reads the configuration again, with the flags of the command
	// line applied.
	LoadConfig func() (*config.Config, error)
	// ConfigBytes are the contents of devguard.toml that Config was made of.
	ConfigBytes []byte
	// OpenDatabase returns the database side for a configuration. It is called
	// at start and after a change of devguard.toml; it must not wait for a
	// server.
	OpenDatabase func(*config.Config, App) (Database, error)
	// Listening returns the listening TCP sockets of processes, in a stable order.
	Listening func(pids []int) []netip.AddrPort
	// PortOwner names the process that listens on a port of this machine.
	PortOwner func(port int) (pid int, name string, ok bool)

	State   *statedir.State
	Environ []string // devguard's own environment
	Log     *slog.Logger
	Screen  *console.Screen // what Log writes to

	// Progress shows how far the first build is; it costs a go list beside it.
	Progress bool

	Signals <-chan os.Signal
	Keys    <-chan rune // nil without a terminal
}

// Supervisor is one running `devguard run`.
type Supervisor struct {
	Options

	// Owned by the loop; effects get copies.
	cfg     *config.Config
	db      *Database
	retired []*Database     // of earlier configurations
	graph   *classify.Graph // nil for a command, and while nothing can be listed
	listed  bool            // some listing was taken over
	goflags *string         // of the go command, once known
	cancels map[reload.ID]context.CancelFunc

	newest  atomic.Pointer[generation] // stored by the loop alone; nil before the first start
	replace chan struct{}              // wishes of the database side; one is as good as many

	watch    *watch.Watcher
	launcher *proc.Launcher
	outcomes chan outcome
	first    bool // no build has finished yet
	watched  watched
	ports    []int // that the newest ready generation listened on
}

// outcome is the answer to the effect with that ID.
type outcome struct {
	id     reload.ID
	answer reload.Event
}

// Run supervises until the user ends it or nothing can be done; the error is
// nil in the first case. ctx ends it like Ctrl-C.
func Run(ctx context.Context, opts Options) error {
	s, err := newSupervisor(opts)
	if err != nil {
		return err
	}
	defer s.close()
	return s.loop(ctx)
}

func newSupervisor(opts Options) (*Supervisor, error) {
	s := &Supervisor{
		Options:  opts,
		cfg:      opts.Config,
		cancels:  map[reload.ID]context.CancelFunc{},
		outcomes: make(chan outcome),
		launcher: new(proc.Launcher),
		replace:  make(chan struct{}, 1),
		first:    true,
	}
	db, err := opts.OpenDatabase(s.cfg, s.app())
	if err != nil {
		return nil, err
	}
	s.db = &db
	if s.watch, err = watch.New(watchOptions(s.cfg)); err != nil {
		return nil, errors.Join(err, s.db.close())
	}
	return s, nil
}

func (s *Supervisor) close() {
	s.launcher.Close()
	s.watch.Close()
	for _, db := range append(s.retired, s.db) {
		s.warn(db.close())
	}
}

// app is the loop's side of App.
func (s *Supervisor) app() App {
	return App{
		Replace: func() {
			select {
			case s.replace <- struct{}{}:
			default: // one is on its way
			}
		},
		Pids: func() (int, []int) {
			g := s.newest.Load()
			if g == nil || !g.launched() {
				return 0, nil
			}
			return g.number, g.tree.Pids()
		},
	}
}

// loop is the only writer of the reload state.
func (s *Supervisor) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	st, effects := reload.Begin(reload.New(decisions(s.cfg, s.State.LoadHooks())), time.Now())
	for {
		for _, e := range effects {
			s.do(e)
		}
		if snap := st.Snapshot(); snap.Done {
			return snap.Err
		}
		wake(timer, st.Deadline())
		ev := s.next(&ctx, timer)
		st, effects = reload.Step(st, ev, time.Now())
	}
}

// wake sets the timer for a deadline; without one it stays off.
func wake(timer *time.Timer, deadline time.Time) {
	timer.Stop()
	if !deadline.IsZero() {
		timer.Reset(max(time.Until(deadline), 0))
	}
}

// next waits for the next event.
func (s *Supervisor) next(ctx *context.Context, timer *time.Timer) reload.Event {
	for {
		select {
		case set := <-s.watch.Changes():
			return reload.Changed{Set: set}
		case out := <-s.outcomes:
			delete(s.cancels, out.id)
			return out.answer
		case <-s.replace:
			return reload.Replace{}
		case sig := <-s.Signals:
			if sig == syscall.SIGQUIT {
				return reload.Quit{}
			}
			return reload.Interrupt{}
		case key, ok := <-s.Keys:
			if !ok {
				s.Keys = nil // the terminal is gone
			}
			if ev := s.key(key); ev != nil {
				return ev
			}
		case <-(*ctx).Done():
			*ctx = context.Background() // said once
			return reload.Interrupt{}
		case <-timer.C:
			return reload.Tick{}
		}
	}
}

// key turns a key into an event; nil when there is nothing to decide.
func (s *Supervisor) key(r rune) reload.Event {
	switch r {
	case 'r':
		return reload.Restart{}
	case 'q':
		return reload.Interrupt{}
	case '?':
		io.WriteString(s.Screen, console.KeysHelp)
	}
	return nil
}
