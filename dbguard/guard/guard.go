package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/dotenv"
)

// Database is one [[database]] of the configuration.
type Database struct {
	URLEnv       []string      // default dotenv.DatabaseURLs
	DirectURLEnv string        // default dotenv.DirectDatabaseURL
	Mode         string        // auto (the default), session, transaction, drain or off
	Listen       string        // a fixed loopback address, for apps that read their URL from elsewhere
	Embedded     bool          // a private server in place of what the environment says
	DrainTimeout time.Duration // bounds the drain of one generation; default 2 s
}

// Options configure a Guard. They are copied by Open.
type Options struct {
	Project   string                       // directory of the configuration, absolute
	Dir       string                       // the app's working directory: .env and relative paths are its
	RunID     string                       // 32 hexadecimal digits, random for each run of devguard
	Previous  []string                     // run ids of devguards of this name that were killed
	Databases []Database                   // none: one made of the environment
	Env       []string                     // the environment of the first start, when known: the probe then begins at once
	Embedded  EmbeddedStarter              // needed when a database asks for it
	Replace   func()                       // asks for a new start of the app, whose environment is no good any more; may be nil
	Pids      func() (gen int, pids []int) // the app's processes now, for fixed addresses; may be nil
	Log       *slog.Logger                 // default slog.Default()
}

// EmbeddedStarter starts the private server of the project in directory
// project, and returns the URL of its database and what releases it. It is
// called once, in a goroutine of the Guard's.
type EmbeddedStarter func(ctx context.Context, project string) (url string, release func(context.Context) error, err error)

// Guard guards the databases of one app. Its methods are safe for concurrent
// use; the order that makes sense is AppEnv, Note, Drain for each generation.
type Guard struct {
	options   Options
	databases []Database
	log       *slog.Logger
	private   *private // nil without an embedded database

	ctx    context.Context // of everything in the background; ended by Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu        sync.Mutex // guards what follows; never held over I/O
	closed    bool
	upstreams map[dsn.Identity]*upstream
	noted     map[int][]sockets.Conn // the app's sockets, by generation
	said      map[string]string      // the last `database` line about each subject
	reported  map[string]bool        // `bypass` lines that were written
}

// runID is the form of a run's id; the label must fit the 63 bytes that a
// server keeps of an application name.
var runID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Open returns a Guard and begins in the background whatever takes time: the
// embedded server, and the probe when o.Env is given. Its error is about the
// options alone. ctx bounds nothing: Close ends the Guard.
func Open(ctx context.Context, o Options) (*Guard, error) {
	for _, id := range append([]string{o.RunID}, o.Previous...) {
		if !runID.MatchString(id) {
			return nil, fmt.Errorf("the run id %q is not 32 hexadecimal digits", id)
		}
	}
	g := &Guard{
		options: o, log: o.Log,
		upstreams: map[dsn.Identity]*upstream{}, noted: map[int][]sockets.Conn{},
		said: map[string]string{}, reported: map[string]bool{},
	}
	if g.log == nil {
		g.log = slog.Default()
	}
	var err error
	if g.databases, err = withDefaults(o.Databases); err != nil {
		return nil, err
	}
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := g.openPrivate(); err != nil {
		g.cancel()
		return nil, err
	}
	if o.Env != nil && g.private == nil {
		g.survey(dsn.Env(o.Env), 0)
	}
	return g, nil
}

// withDefaults returns the databases with their defaults filled in.
func withDefaults(list []Database) ([]Database, error) {
	if len(list) == 0 {
		list = []Database{{}}
	}
	out := make([]Database, len(list))
	for i, d := range list {
		switch mode(d.Mode) {
		case "":
			d.Mode = string(modeAuto)
		case modeAuto, modeSession, modeTransaction, modeDrain, modeOff:
		default:
			return nil, fmt.Errorf("there is no database mode %q; there are auto, session, transaction, drain and off", d.Mode)
		}
		if len(d.URLEnv) == 0 {
			d.URLEnv = dotenv.DatabaseURLs()
		}
		if d.DirectURLEnv == "" {
			d.DirectURLEnv = dotenv.DirectDatabaseURL
		}
		if d.DrainTimeout <= 0 {
			d.DrainTimeout = 2 * time.Second
		}
		out[i] = d
	}
	return out, nil
}

// background runs f in a goroutine that Close waits for. It does nothing and
// returns false once the Guard is closed.
func (g *Guard) background(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Go(f)
	return true
}

// Clean reports whether the last drain of every database that is ours to
// drain found and ended all there was. If not, the run id must be remembered:
// the next devguard looks again.
func (g *Guard) Clean() bool {
	for _, u := range g.known() {
		g.mu.Lock()
		unclean := u.unclean
		g.mu.Unlock()
		if unclean {
			return false
		}
	}
	return true
}

// Close ends what is under way in the background, every session that passes through
// us, and those of the Guard's own, and releases the embedded server. ctx bounds that.
func (g *Guard) Close(ctx context.Context) error {
	g.mu.Lock()
	already := g.closed
	g.closed = true
	g.mu.Unlock()
	if already {
		return nil
	}
	g.cancel()
	for _, u := range g.known() {
		g.dismiss(u)
	}
	for _, u := range g.known() {
		g.closeSpares(ctx, u, everyGeneration)
		g.closeListeners(ctx, u)
	}
	done := make(chan struct{})
	go func() { g.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("close the database guard: %w", ctx.Err())
	}
	for _, u := range g.known() {
		if d := g.takeDial(u); d != nil {
			d.close(ctx)
		}
	}
	return errors.Join(g.closePrivate(ctx))
}
