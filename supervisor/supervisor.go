package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
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
	// OpenDatabase returns the database side for a configuration. It is called at
	// start, and after a change of devguard.toml that is about the database; it must
	// not wait for a server.
	OpenDatabase func(*config.Config, App) (Database, error)
	// Listening returns the listening TCP sockets of processes, in a stable order.
	Listening func(pids []int) []netip.AddrPort
	// PortOwner names a process that listens where one that wants to listen at that address cannot. Without
	// an IP that is any address of the port.
	PortOwner func(at netip.AddrPort) (pid int, name string, ok bool)

	StateDir *statedir.Dir
	Environ  []string        // devguard's own environment
	Log      *slog.Logger    // must not wait for who reads it
	Screen   *console.Screen // what Log writes to

	// Progress shows how far the first build is; it costs a go list beside it.
	Progress bool

	Signals <-chan os.Signal
	// Debugger is the dlv that the app runs under; required with Config.Debug.On.
	Debugger string
	// StopSelf gives the terminal back and stops devguard, until it is continued.
	StopSelf func()
	Keys     <-chan rune // nil without a terminal

	// OpenControl begins to answer whoever asks about the Supervisor; may be nil.
	OpenControl func(Control) (Answering, error)
}

// Answering is a server that answers whoever asks.
type Answering struct {
	ShowPage func() // of key o; it may take some seconds
	End      func()
}

// Supervisor is one running `devguard run`: what its doers take from, in the loop, and
// what they work with.
type Supervisor struct {
	Options

	// Read and written in the loop alone; doers get copies.
	cfg     *config.Config
	db      *Database
	retired []*Database     // of earlier configurations, the oldest first
	graph   *classify.Graph // nil for a command, and while nothing can be listed
	listed  bool            // some listing was taken over
	goflags *string         // of the go command, once known
	first   bool            // no build has finished yet
	plan    *fastbuild.Plan // of the newest tree that was built by it or recorded; nil for none
	planned change.Digest   // the program that the plan is of
	noPlan  reload.Refusal  // why there is none; zero before the first try
	sources build.Contents  // of files that cgo reads; of the one build that runs
	watched watched
	ports   []netip.AddrPort // that the newest ready generation listened on
	learned learned          // of the newest generation that was ready

	newest  atomic.Pointer[generation] // stored in the loop alone; nil before the first start
	imports atomic.Pointer[[]string]   // of the graph; nil until one was listed
	replace chan struct{}              // wishes of the database side; one is as good as many
	board   board
	wishes  chan wish
	ended   chan struct{}  // closed when the loop has ended
	aside   sync.WaitGroup // of keys d and o

	answering Answering // set before the loop begins

	watch    *watch.Watcher
	launcher *proc.Launcher
	holder   *listeners.Holder
	address  *address  // nil: the app is reached at its own
	http2    sync.Once // said that the app may serve HTTP/2

	speaks map[netip.AddrPort]bool // of Stop, of which there is one at a time: where it serves HTTP/2
}

// Run supervises until the user ends it or nothing can be done; the error is
// nil in the first case. ctx ends it like Ctrl-C.
func Run(ctx context.Context, opts Options) error {
	s, err := newSupervisor(opts)
	if err != nil {
		return err
	}
	defer s.shutdown()
	l := loop{
		doers: s.doers(), say: s.log, help: s.help, reset: s.reset, refresh: s.address.refresh, showPage: s.showPage, publish: s.publisher(),
		changes: s.watch.Changes(), replace: s.replace, signals: s.Signals, keys: s.Keys, ended: ctx.Done(),
		wishes: s.wishes,
	}
	if s.address.public() != "" {
		logline.Front(s.address.public()).To(s.Log)
	}
	st := reload.New(s.decisions(s.cfg))
	s.board.publish(st.Snapshot())
	if s.OpenControl != nil {
		var err error
		if s.answering, err = s.OpenControl(s.control()); err != nil {
			return err
		}
		defer s.answering.End()
	}
	defer close(s.ended)
	return l.run(st)
}

func newSupervisor(opts Options) (*Supervisor, error) {
	s := &Supervisor{
		Options:  opts,
		cfg:      opts.Config,
		launcher: new(proc.Launcher),
		replace:  make(chan struct{}, 1),
		speaks:   map[netip.AddrPort]bool{},
		wishes:   make(chan wish),
		ended:    make(chan struct{}),
		first:    true,
		sources:  build.Contents{},
	}
	db, err := opts.OpenDatabase(s.cfg, s.app())
	if err != nil {
		return nil, err
	}
	s.db = &db
	s.holder = listeners.New(func(l logline.Line) { l.To(s.Log) })
	if s.address, err = openAddress(s.cfg, s.holder, s.Log); err != nil {
		s.holder.Close()
		return nil, errors.Join(err, s.db.close())
	}
	if s.cfg.Debug.On {
		sayDebugger(s.Log, s.cfg.Debug.Listen)
	}
	if s.watch, err = watch.New(watchOptions(s.cfg, s.StateDir.Path())); err != nil {
		s.holder.Close()
		s.address.close()
		return nil, errors.Join(err, s.db.close())
	}
	return s, nil
}

// shutdown closes what newSupervisor has opened. The app and everything else that was
// begun since has ended: package reload decides that, and run waits for it.
func (s *Supervisor) shutdown() {
	s.aside.Wait() // each takes the drain timeout at most
	s.launcher.Close()
	s.holder.Close()
	s.address.close()
	s.watch.Close()
	s.warn(s.db.close())
}

func (s *Supervisor) doers() doers {
	return doers{
		list: s.list, loadConfig: s.loadConfig, runHook: s.runHook, build: s.build, verify: s.verify,
		check: s.check, start: s.start, await: s.await, awaitReady: s.awaitReady, stop: s.stop, drain: s.drain,
		forwardQuit: s.forwardQuit, stopJob: s.stopJob, prepare: s.prepare, closeRetired: s.closeRetired,
	}
}

// publisher tells those who are not told by an effect what the state is. It does not wait.
func (s *Supervisor) publisher() func(reload.Snapshot) {
	type idle struct {
		reason, pause string
		crashes       int
	}
	told := idle{}
	return func(snap reload.Snapshot) {
		s.board.publish(snap)
		s.address.publish(snap)
		now := idle{reason: idleReason(snap), pause: pauseReason(snap)}
		if now.pause != "" {
			now.crashes = snap.Crashes
		}
		if snap.Done || now == told {
			return // when it is done nobody answers for the app any more
		}
		told = now
		s.address.idle(now.reason, now.pause, now.crashes)
		if now.crashes > 1 { // after the first one the pause is short: clients wait for it
			now.reason = "the app has crashed: " + now.pause
		}
		s.holder.Idle(now.reason, now.crashes)
	}
}

// app is what the database side may ask of us.
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
		Imports: func() ([]string, bool) {
			paths := s.imports.Load()
			if paths == nil {
				return nil, false
			}
			return *paths, true
		},
	}
}
