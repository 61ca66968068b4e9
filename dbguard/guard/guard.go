package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor/logline"
)

// Options configure a Guard. They are copied by Open.
type Options struct {
	Addresses *Addresses                          // shared by all Guards of this devguard; default: of this Guard alone
	Project   string                              // directory of the configuration, absolute
	Dir       string                              // the app's working directory: .env and relative paths are its
	RunID     string                              // 32 hexadecimal digits, random for each run of devguard
	Previous  []string                            // run ids of devguards of this name that were killed
	Databases []Database                          // none: one made of the environment
	Env       []string                            // the environment of the first start, when known: the probe then begins at once
	Embedded  EmbeddedStarter                     // needed when a database asks for it
	Replace   func()                              // asks for a new start of the app, whose environment is no good any more; may be nil
	Pids      func() (gen int, pids []int)        // the app's processes now, for fixed addresses; may wait for a start; may be nil
	Imports   func() (paths []string, known bool) // of the packages that the app is built from; none are known of a command; may be nil
	Log       *slog.Logger                        // default slog.Default()
}

// Guard guards the databases of one app. Its methods are safe for concurrent
// use; the order that makes sense is AppEnv, RecordSockets, Drain for each
// generation. It has no state of its own but that of its parts.
type Guard struct {
	dir       string // the app's working directory
	databases databases
	imports   func() (paths []string, known bool) // may be nil
	embedded  *embeddedServer                     // nil when no database asks for one
	shared    shared
	upstreams *registry
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
	all, err := withDefaults(o.Databases)
	if err != nil {
		return nil, err
	}
	private := all.embedded()
	if len(private) > 0 && o.Embedded == nil {
		return nil, errors.New("an embedded database is asked for, and this devguard has none")
	}
	g := &Guard{dir: o.Dir, databases: all, imports: o.Imports, shared: shared{
		labels: labels{o.RunID, o.Previous}, log: newLogger(o.Log), work: newBackground(ctx), sockets: &appSockets{},
		addresses: o.Addresses, pids: o.Pids, replace: o.Replace, certificate: sync.OnceValue(newCertificate),
	}}
	if g.shared.addresses == nil {
		g.shared.addresses = NewAddresses()
	}
	g.upstreams = newRegistry(g.shared)
	switch {
	case len(private) > 0:
		g.embedded = &embeddedServer{asked: private, log: g.shared.log, done: make(chan struct{})}
		g.embedded.start(g.shared.work, o.Embedded, o.Project)
	case o.Env != nil:
		g.survey(dsn.Env(o.Env), 0)
	}
	return g, nil
}

// RecordSockets remembers the sockets that the processes pids of generation gen hold
// now, by which Drain finds their sessions. It is for the moment of the stop signal,
// and again before SIGKILL, while they still live. It also begins to dial the session
// that Drain will use, so that a restart does not wait for it; it does not wait itself.
func (g *Guard) RecordSockets(gen int, pids []int) {
	conns, err := sockets.Connections(pids)
	if err != nil {
		logline.SocketsUnknown(gen, err).To(g.shared.log.Logger)
	}
	if !g.databases.someGoPast() {
		g.sayPast(conns)
	}
	held := g.shared.sockets.add(gen, conns)
	for _, u := range g.upstreams.usedUntil(gen) {
		u.forDrain.begin(held)
	}
}

// Clean reports whether the last drain of every database that is ours to
// drain found and ended all there was. If not, the run id must be remembered:
// the next devguard looks again.
func (g *Guard) Clean() bool {
	for _, u := range g.upstreams.all() {
		if !u.clean() {
			return false
		}
	}
	return true
}

// Close ends what is under way in the background, every session that passes through
// us, and those of the Guard's own, and releases the embedded server. ctx bounds that.
func (g *Guard) Close(ctx context.Context) error {
	if !g.shared.work.stop() {
		return nil
	}
	all := g.upstreams.all()
	for _, u := range all {
		u.listeners.giveUpFixed() // first: the next Guard's clients may be coming
	}
	for _, u := range all {
		u.sessions.dismiss()
	}
	for _, u := range all {
		u.spares.close(ctx, everyGeneration)
		u.listeners.close(ctx)
	}
	if err := g.shared.work.wait(ctx); err != nil {
		return err
	}
	for _, u := range all {
		if d := u.forDrain.take(); d != nil {
			d.close(ctx)
		}
	}
	return g.embedded.close(ctx)
}
