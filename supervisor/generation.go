package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/delve"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/proc"
	"github.com/devguard/devguard/supervisor/ready"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
	"github.com/devguard/devguard/supervisor/term"
)

// generation is one start of the app. The loop makes it; what is known only once the
// app runs is written by the start, once, before done is closed, and only read after.
type generation struct {
	number int
	cfg    *config.Config
	db     *Database
	done   chan struct{} // closed when the start has succeeded or failed

	tree   *proc.Instance // nil when the start has failed
	debug  *delve.App     // nil unless the app runs under dlv, which is the tree's main process then
	killed atomic.Bool    // under dlv: the app was not gone within its grace
	port   string         // PORT of its environment
	since  time.Time
}

// launched waits for the end of the start, and reports whether it has succeeded.
func (g *generation) launched() bool {
	<-g.done
	return g.tree != nil
}

// runs reports whether the start has succeeded and the app's main process is there.
func (g *generation) runs() bool {
	select {
	case <-g.done:
		return g.tree != nil && !g.exited()
	default:
		return false
	}
}

// start starts a generation. What its environment needs (a server of our own
// that is still coming up) is waited for here, beside the loop.
//
// The generation is published before its process exists: the app may connect to its
// database before we hear that it runs.
func (s *Supervisor) start(e reload.Start) doer {
	g := &generation{number: e.Gen, cfg: s.cfg, db: s.db, done: make(chan struct{})}
	s.newest.Store(g)
	return func(ctx context.Context) reload.Event {
		defer close(g.done)
		if err := s.launch(ctx, e, g); err != nil {
			return reload.Started{ID: e.ID, Err: err, Missing: missing(e.Binary)}
		}
		return reload.Started{ID: e.ID, PID: g.pid(ctx)}
	}
}

// check does what can be done of a start while the generation before still
// serves.
func (s *Supervisor) check(e reload.Check) doer {
	cfg, db := s.cfg, s.db
	return func(ctx context.Context) reload.Event {
		err := s.mendFolder()
		var spec proc.Spec
		if err == nil {
			spec, err = s.spec(ctx, e.Gen, e.Binary, cfg, db)
		}
		if err != nil {
			return reload.Checked{ID: e.ID, Err: err}
		}
		err = spec.Check()
		return reload.Checked{ID: e.ID, Err: err, Missing: err != nil && missing(e.Binary)}
	}
}

// missing reports whether somebody has removed a binary that was built.
func missing(binary string) bool {
	_, err := os.Stat(binary)
	return binary != "" && errors.Is(err, fs.ErrNotExist)
}

// mendFolder makes the folder again when it was removed, and says so. While another
// devguard has it, nothing may be done in it.
func (s *Supervisor) mendFolder() error {
	mended, err := s.StateDir.Mend()
	if mended {
		logline.Note(true, statedir.Folder+" was removed while devguard runs: it is made again",
			"git clean -fdx -e "+statedir.Folder+" leaves it alone").To(s.Log)
	}
	return err
}

// launch starts the process tree of g and fills in what is known of it then.
func (s *Supervisor) launch(ctx context.Context, e reload.Start, g *generation) error {
	if err := s.mendFolder(); err != nil {
		return err
	}
	spec, err := s.spec(ctx, e.Gen, e.Binary, g.cfg, g.db)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !spec.Filter {
		s.holder.Unfiltered()
	}
	program := spec.Path
	s.holder.Program(fmt.Sprint(program, spec.Args, e.Made))
	if g.cfg.Debug.On {
		s.holder.Debugger(uint16(g.debugPort()))
		spec.Path, spec.Args = s.Debugger, delve.Arguments(g.cfg.Debug.Listen, program, spec.Args)
	}
	// Past this point the app may have begun its work: it is then stopped like
	// any other, with its grace, and not cut off.
	launch, cancel := outlive(ctx, launchWait)
	defer cancel()
	tree, err := s.launcher.Start(launch, spec)
	if err != nil {
		return err
	}
	g.tree, g.port, g.since = tree, config.Lookup(spec.Env, "PORT"), time.Now()
	s.address.started(e.Gen)
	if spec.Filter {
		filter, refused := tree.Filter()
		s.holder.Started(e.Gen, filter, refused, tree.Pids)
	}
	if g.cfg.Debug.On {
		g.debug = s.follow(g, program)
	}
	return nil
}

// record has the next devguard end what runs, should this one and the guardians be killed.
func (s *Supervisor) record(g *generation) {
	if err := s.StateDir.RecordInstance(g.number, g.tree.PID(), g.tree.Guardians()...); err != nil {
		s.warn(fmt.Errorf("if devguard is killed now, the app may be left running: %w", err))
	}
}

// spec is what a generation is started by. Its environment may need a server of
// our own that is still coming up.
func (s *Supervisor) spec(ctx context.Context, gen int, binary string, cfg *config.Config, db *Database) (spec proc.Spec, err error) {
	env, err := s.baseEnv(cfg)
	if err != nil {
		return spec, err
	}
	if env, err = db.appEnv(ctx, gen, env); err != nil {
		return spec, fmt.Errorf("prepare the database: %w", err)
	}
	spec = proc.Spec{
		Path: binary, Args: s.address.args(cfg.App.Args), Dir: cfg.Work,
		Env:    with(s.address.environ(env), "DEVGUARD=1", "DEVGUARD_NAME="+cfg.Name, "DEVGUARD_GEN="+strconv.Itoa(gen), "PWD="+cfg.Work),
		Stdout: os.Stdout, Stderr: os.Stderr,
		Filter: cfg.App.HoldSockets && s.holder.Wanted(),
	}
	if len(cfg.App.Command) > 0 {
		spec.Path, spec.Args = cfg.App.Command[0], s.address.args(slices.Concat(cfg.App.Command[1:], cfg.App.Args))
	}
	if cfg.App.Stdin {
		spec.Stdin, spec.Foreground = os.Stdin, true
	}
	return spec, nil
}

// with returns env with variables set, each of them once: of two entries with
// one name some programs take the first, some the last.
func with(env []string, vars ...string) []string {
	set := func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(vars, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	return append(slices.DeleteFunc(slices.Clone(env), set), vars...)
}

// launchWait is how long a start that was begun may take after devguard was told
// to end: it takes milliseconds unless a guardian hangs.
const launchWait = 2 * time.Second

// outlive returns a context that ends wait after ctx does.
func outlive(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(wait, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// baseEnv is the environment that the user's shell would give the app, with
// the env files read now.
func (s *Supervisor) baseEnv(cfg *config.Config) ([]string, error) {
	return config.ReadEnvFiles(cfg.App.EnvFiles, s.Environ)
}

// generation is the one with that number, which is the newest: there are never two.
func (s *Supervisor) generation(number int) *generation {
	g := s.newest.Load()
	if g == nil || g.number != number {
		panic(fmt.Sprintf("BUG: generation %d is not the newest", number))
	}
	return g
}

// await waits for the end of the app's main process. When that has failed, the answer
// says who has a port that it may have wanted.
func (s *Supervisor) await(e reload.Await) doer {
	g := s.generation(e.Gen)
	wanted := s.wanted(g)
	return func(ctx context.Context) reload.Event {
		if !g.awaitExit(ctx) {
			return reload.Exited{ID: e.ID, Code: -1, Cancelled: true}
		}
		s.holder.Exited(e.Gen)
		s.address.exited(e.Gen)
		exit := g.exit()
		ev := reload.Exited{
			ID: e.ID, Code: exit.Code, Signal: exit.Signal, Interrupt: g.interrupted(exit),
		}
		if exit.Code > 0 {
			ev.Detail = s.portTaken(wanted, g.debugPort())
		}
		return ev
	}
}

// awaitExit reports whether the app's main process is gone; not when ctx has ended before. A Ctrl-Z
// at an app that has the terminal reaches the app alone: we are to be stopped with it, as are those
// in our group who wait for us (npm, make).
func (g *generation) awaitExit(ctx context.Context) bool {
	for {
		select {
		case <-g.ended():
			return true
		case <-g.tree.Stops():
			osproc.StopOwnGroup()
		case <-ctx.Done():
			return false
		}
	}
}

// interrupted reports whether an app that has the terminal was ended by a
// Ctrl-C there, which reaches nobody else: by the signal, or by the exit code
// that stands for it in shells and most runtimes. (An app that exits otherwise
// gives the terminal back to devguard, whom the next Ctrl-C reaches.)
func (g *generation) interrupted(exit proc.Exit) bool {
	const shellSIGINT = 128 + 2
	return g.cfg.App.Stdin && term.IsTerminal(os.Stdin) && (exit.Signal == "SIGINT" || exit.Code == shellSIGINT)
}

// awaitReady waits until a generation is ready, or has ended. The ports that it listens
// on are kept: the next one is likely to want the same.
func (s *Supervisor) awaitReady(e reload.AwaitReady) doer {
	g := s.generation(e.Gen)
	rule := ready.Rule{HTTP: g.cfg.Ready.HTTP, TCP: g.cfg.Ready.TCP, Timeout: g.cfg.Ready.Timeout}
	target := s.target(g)
	s.address.await(&rule, &target)
	return func(ctx context.Context) reload.Event {
		var recorded sync.WaitGroup // beside the app's start: a file system that is busy takes milliseconds
		recorded.Go(func() { s.record(g) })
		stop := s.address.warn(s.Log, target.Listening)
		res, err := ready.Wait(ctx, rule, target)
		stop()
		recorded.Wait()
		ev := reload.ReadyDone{ID: e.ID, Rule: res.Rule, Took: res.Took, Err: err, Cancelled: ctx.Err() != nil || g.exited()}
		if ev.Cancelled {
			return ev
		}
		listening := target.Listening()
		if err != nil {
			ev.Err = errors.Join(s.address.elsewhere(listening), err)
		}
		s.address.found(e.Gen, ev.Err, listening)
		if err != nil {
			s.holder.NotReady(e.Gen)
		} else {
			s.holder.Ready(e.Gen)
			ev.Brings = func() { s.ports = listening }
		}
		return ev
	}
}

// target is a generation as its readiness is looked for.
func (s *Supervisor) target(g *generation) ready.Target {
	t := ready.Target{
		Exited:  g.ended(),
		Started: g.since,
		Listens: s.holder.Listens(),
		Untaken: s.holder.Untaken,
	}
	t.Listening = func() []netip.AddrPort {
		return slices.DeleteFunc(s.listening(g.own(g.tree.Pids())), s.holder.Untaken)
	}
	if g.debug != nil {
		t.RunsSince = g.debug.RunsSince
	}
	return t
}

// listening returns what the processes of the app listen on.
func (s *Supervisor) listening(pids []int) []netip.AddrPort {
	return ready.WithoutDebuggers(pids, s.Listening)
}

// exited reports whether the app's main process is gone.
func (g *generation) exited() bool {
	select {
	case <-g.ended():
		return true
	default:
		return false
	}
}

// stop ends the process tree of a generation. Cancelled, it kills at once.
func (s *Supervisor) stop(e reload.Stop) doer {
	g, ahead := s.generation(e.Gen), s.learned
	return func(ctx context.Context) reload.Event {
		s.address.quieten(ctx, g)
		defer s.address.ended(e.Gen)
		defer s.holder.Ended(e.Gen)
		hangUp := s.hangUp(g, ahead)
		pids := g.tree.Pids()
		hangUp.find(g.own(pids))
		var noted sync.WaitGroup // beside what clients are spared by: each takes a millisecond
		noted.Go(func() { g.db.note(e.Gen, pids) })
		if e.Last {
			s.holder.Ends()
		} else {
			s.holder.Stopping(e.Gen)
		}
		streams := s.address.endStreams(g)
		signals := 0
		res := g.stop(ctx, proc.StopSpec{
			Signal: g.cfg.App.StopSignal,
			Grace:  g.cfg.App.Grace,
			Note: func(pids []int) {
				if signals++; signals > 1 {
					g.db.note(e.Gen, pids)
				}
				hangUp.begin()
				streams.begin()
				noted.Wait()
			},
		})
		noted.Wait()
		ev := reload.Stopped{ID: e.ID, Killed: res.Killed, Took: res.Took, HungUp: hangUp.end() + streams.end()}
		if len(res.Left) > 0 {
			ev.Err = fmt.Errorf("processes %v did not end after SIGKILL; they may still hold the port", res.Left)
		}
		return ev
	}
}

// drain ends what a generation left in the database; of one whose start
// failed, too.
func (s *Supervisor) drain(e reload.Drain) doer {
	db := s.generation(e.Gen).db
	return func(ctx context.Context) reload.Event {
		db.drain(ctx, e.Gen)
		return reload.Drained{ID: e.ID}
	}
}
