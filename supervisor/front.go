package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/ready"
	"github.com/devguard/devguard/supervisor/reload"
)

// address is where clients reach the app while devguard answers for it. A nil address is none: the
// app has its own.
type address struct {
	front *front.Front
	app   string // where the app listens: host:port, or :port on any address of this machine; "" with inPlace

	inPlace bool // the front is wherever the app binds, and the app on the same port elsewhere
	taken   func(gen int) []netip.AddrPort

	env  []string
	port string // "" when the app does not take one

	told  string         // the problems that pages were told last
	news  chan []problem // the newest ones; nil when pages are left alone
	shown chan struct{}  // closed when none are shown any more
}

// openAddress begins to answer for the app, as the configuration says. Nil without an error: it
// does not say so.
func openAddress(cfg *config.Config) (*address, error) {
	if cfg.Front.Listen == "" {
		return nil, nil
	}
	if cfg.Front.Listen == config.FrontOfApp {
		return openInPlace(cfg)
	}
	a := &address{app: cfg.Front.Target}
	if a.app == "" {
		port, err := freePort()
		if err != nil {
			return nil, fmt.Errorf("find a port for the app: %w", err)
		}
		a.app, a.port = ":"+port, port
		for _, name := range cfg.Front.PortEnv {
			a.env = append(a.env, name+"="+port)
		}
	}
	f, err := front.Open(front.Options{Listen: cfg.Front.Listen, Hold: cfg.Front.Hold, Live: cfg.Front.LiveReload, Remote: cfg.Front.RemoteOverlay})
	if err != nil {
		return nil, logline.WithHint(err, "end who listens there, or write another address in front.listen or --front")
	}
	a.begin(f, cfg)
	return a, nil
}

// openInPlace begins to answer wherever the app binds.
func openInPlace(cfg *config.Config) (*address, error) {
	const hint = "write an address: --front=127.0.0.1:8080, or front.listen; the app gets PORT then"
	switch {
	case runtime.GOOS != "linux":
		return nil, logline.WithHint(errors.New("only Linux asks devguard before the app binds an address"), hint)
	case !cfg.App.HoldSockets:
		return nil, logline.WithHint(errors.New("a front where the app binds needs hold_sockets, which is off"), hint)
	case cfg.Debug.On:
		return nil, logline.WithHint(errors.New("a front where the app binds would stand before the debugger, too"), hint)
	}
	f, err := front.Open(front.Options{Hold: cfg.Front.Hold, Live: cfg.Front.LiveReload, Remote: cfg.Front.RemoteOverlay})
	if err != nil {
		return nil, err
	}
	a := &address{inPlace: true}
	a.begin(f, cfg)
	return a, nil
}

func (a *address) begin(f *front.Front, cfg *config.Config) {
	a.front, a.news, a.shown = f, make(chan []problem, 1), make(chan struct{})
	go a.show(cfg.App.BuildDir, cfg.Front.Editor)
}

// standIn has the holder ask the front before the app binds an address.
func (a *address) standIn(holder *listeners.Holder, log *slog.Logger) {
	if a == nil || !a.inPlace {
		return
	}
	a.taken = holder.Taken
	said := map[netip.AddrPort]bool{}
	holder.StandIn(func(addr netip.AddrPort, v6only bool) (netip.AddrPort, error) { // of one goroutine
		instead, err := a.front.Take(addr, v6only)
		if err == nil && !said[addr] {
			said[addr] = true
			logline.Front(addr.String()).To(log)
		}
		return instead, err
	})
}

// The ports that are tried for the app. Systems give those above to connections that ask for none
// (32768 and up on Linux, 49152 elsewhere), so that one of them may be taken while the app is away.
const firstPort, lastPort = 20000, 32767

// freePort finds a port for the app, which keeps it for the run.
func freePort() (string, error) {
	var err error
	for range 100 {
		port := strconv.Itoa(firstPort + rand.IntN(lastPort-firstPort+1))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// public is where clients reach the app; "" when that is its own address.
func (a *address) public() string {
	if a == nil || a.inPlace {
		return ""
	}
	return a.front.Addr().String()
}

// close ends answering. Nothing of the app may be left.
func (a *address) close() {
	if a != nil {
		close(a.news)
		<-a.shown
		a.front.Close()
	}
}

// show reads the source of what has failed, and has pages show it.
func (a *address) show(dir, editor string) {
	defer close(a.shown)
	for problems := range a.news {
		var all []front.Problem
		for _, p := range problems {
			all = append(all, p.withSource(dir, editor))
		}
		a.front.Show(all)
	}
}

// environ adds the port to the environment of the app.
func (a *address) environ(env []string) []string {
	if a == nil {
		return env
	}
	return with(env, a.env...)
}

// args puts the port into the arguments of the app.
func (a *address) args(args []string) []string {
	if a == nil || a.port == "" {
		return args
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{port}", a.port)
	}
	return args
}

// dials are the addresses at which the app may listen, in the order in which they are tried.
func (a *address) dials() []string {
	if a.inPlace {
		return nil
	}
	if host, port, err := net.SplitHostPort(a.app); err == nil && host == "" {
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	return []string{a.app}
}

// rule is when a generation is ready: it has to listen where requests are sent to.
func (a *address) rule(r ready.Rule) ready.Rule {
	switch {
	case a == nil:
	case a.inPlace:
		return a.ruleInPlace(r)
	case r.TCP != "":
	case r.HTTP == "":
		r.TCP = a.app
	case strings.HasPrefix(r.HTTP, "/"):
		host, port, _ := net.SplitHostPort(a.app)
		if host == "" {
			host = "localhost"
		}
		if u, err := url.Parse(r.HTTP); err == nil {
			u.Scheme, u.Host = "http", net.JoinHostPort(host, port)
			r.HTTP = u.String()
		}
	}
	return r
}

// ruleInPlace has a rule ask the app, and not the front, which waits for it.
func (a *address) ruleInPlace(r ready.Rule) ready.Rule {
	if r.TCP != "" {
		r.TCP = a.behind(r.TCP)
	}
	if u, err := url.Parse(r.HTTP); err == nil && u.Host != "" && u.Port() != "" {
		u.Host = a.behind(u.Host)
		r.HTTP = u.String()
	}
	return r
}

// behind is where the app listens that wanted to listen at an address of this machine.
func (a *address) behind(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if ip, failed := netip.ParseAddr(host); err == nil && (host == "" || host == "localhost" || failed == nil && (ip.IsLoopback() || ip.IsUnspecified())) {
		return net.JoinHostPort(a.front.Home().String(), port)
	}
	return hostport
}

// elsewhere says of an app that listens, and not where it was told to, what to do; nil of any
// other.
func (a *address) elsewhere(listening []netip.AddrPort) error {
	if a == nil || a.port == "" || len(listening) == 0 {
		return nil
	}
	for _, at := range listening {
		if strconv.Itoa(int(at.Port())) == a.port {
			return nil
		}
	}
	return logline.WithHint(fmt.Errorf("the app listens at %s, and not at port %s, which PORT says", listening[0], a.port),
		fmt.Sprintf("have it take PORT (port_env below [front] has other names for it) or an argument with {port}, or write target = \"127.0.0.1:%d\" below [front]", listening[0].Port()))
}

// patience is how long an app that listens elsewhere may take to listen where it was told to,
// before that is said: a debug server may be first. A guess.
const patience = 2 * time.Second

// warn says once when the app listens elsewhere, until stop is called: to be told after the whole
// time-out would be late.
func (a *address) warn(log *slog.Logger, listening func() []netip.AddrPort) (stop func()) {
	if a == nil || a.port == "" {
		return func() {}
	}
	said := make(chan struct{})
	timer := time.AfterFunc(patience, func() {
		defer close(said)
		if err := a.elsewhere(listening()); err != nil {
			logline.Note(true, err.Error(), logline.HintOf(err)).To(log)
		}
	})
	return func() {
		if !timer.Stop() {
			<-said
		}
	}
}

// started says that the process of a generation exists.
func (a *address) started(gen int) {
	if a != nil {
		a.front.Started(gen, a.dials()...)
	}
}

// found says whether a generation was found ready.
func (a *address) found(gen int, err error) {
	switch {
	case a == nil:
	case err != nil:
		a.front.NotReady(gen, err.Error())
	default:
		a.front.Ready(gen)
		if a.inPlace {
			a.front.Keep(a.taken(gen))
		}
	}
}

// exited says that the main process of a generation has ended.
func (a *address) exited(gen int) {
	if a != nil {
		a.front.Exited(gen)
	}
}

// quieten has no request unanswered when it returns, unless the app has ended, its grace is over,
// or ctx has ended. From then on requests wait.
func (a *address) quieten(ctx context.Context, g *generation) {
	if a == nil {
		return
	}
	a.front.Stopping(g.number)
	if g.cfg.Debug.On {
		return // it may stand at a breakpoint, and answers nobody
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.App.Grace)
	defer cancel()
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		a.front.Settle(ctx, g.number)
	}()
	select {
	case <-settled:
	case <-g.ended():
		cancel()
		<-settled
	}
}

// endingStreams ends what a generation that is being stopped leaves open.
type endingStreams struct {
	address *address
	gen     int
	after   time.Duration // since the signal: the app may end them itself

	timer *time.Timer // nil: it has not begun
	ended chan int    // how many
}

func (a *address) endStreams(g *generation) *endingStreams {
	return &endingStreams{address: a, gen: g.number, after: g.cfg.App.HangUp}
}

// begin is called right before each signal. The first one counts.
func (e *endingStreams) begin() {
	if e.address == nil || e.after == config.Never || e.timer != nil {
		return
	}
	e.ended = make(chan int, 1)
	e.timer = time.AfterFunc(e.after, func() { e.ended <- e.address.front.EndStreams(e.gen) })
}

// end returns how many were ended.
func (e *endingStreams) end() int {
	if e.timer == nil || e.timer.Stop() {
		return 0
	}
	return <-e.ended
}

// ended says that no process of a generation is left.
func (a *address) ended(gen int) {
	if a != nil {
		a.front.Ended(gen)
	}
}

// refresh has pages reload, or take their stylesheets anew.
func (a *address) refresh(styles bool) {
	switch {
	case a == nil:
	case styles:
		a.front.Restyle()
	default:
		a.front.Reload()
	}
}

// idle says to clients why nothing becomes of the app; "" when something does.
func (a *address) idle(reason string) {
	if a != nil {
		a.front.Idle(reason)
	}
}

// publish tells pages what has failed, and clients that devguard ends. It does not wait.
func (a *address) publish(snap reload.Snapshot) {
	if a == nil {
		return
	}
	if slices.ContainsFunc(snap.Holds, func(h reload.Hold) bool { return h.What == "shutdown" }) {
		a.front.Closing()
	}
	problems := problemsOf(snap)
	text := fmt.Sprint(problems)
	if snap.Done || text == a.told {
		return
	}
	a.told = text
	select {
	case <-a.news: // nobody has looked at it yet
	default:
	}
	a.news <- problems
}
