package supervisor

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/ready"
)

// apart: clients come to an address that devguard has for the run, and the app listens where it is
// told to.
type apart struct {
	public string   // host:port
	app    string   // host:port, or :port on any address of this machine
	env    []string // tells the app the port
	port   string   // "" when the app does not take one
}

func openApart(cfg *config.Config, log *slog.Logger) (*front.Process, place, error) {
	p := apart{app: cfg.Front.Target}
	if p.app == "" {
		port, err := freePort()
		if err != nil {
			return nil, nil, fmt.Errorf("find a port for the app: %w", err)
		}
		p.app, p.port = ":"+port, port
		for _, name := range cfg.Front.PortEnv {
			p.env = append(p.env, name+"="+port)
		}
	}
	f, err := startFront(cfg, cfg.Front.Listen, log)
	if err != nil {
		return nil, nil, logline.WithHint(err, "end who listens there, or write another address in front.listen or --front")
	}
	p.public = f.Addr()
	return f, p, nil
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

// apart returns where devguard has an address of its own; false when it has none.
func (a *address) apart() (apart, bool) {
	if a == nil {
		return apart{}, false
	}
	p, is := a.place.(apart)
	return p, is
}

// public is where clients reach the app; "" when that is its own address.
func (a *address) public() string {
	p, _ := a.apart()
	return p.public
}

// environ adds the port to the environment of the app.
func (a *address) environ(env []string) []string {
	if p, is := a.apart(); is {
		return with(env, p.env...)
	}
	return env
}

// args puts the port into the arguments of the app.
func (a *address) args(args []string) []string {
	p, _ := a.apart()
	if p.port == "" {
		return args
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{port}", p.port)
	}
	return args
}

// warn says once when the app listens elsewhere, until stop is called: to be told after the whole
// time-out would be late.
func (a *address) warn(log *slog.Logger, listening func() []netip.AddrPort) (stop func()) {
	p, _ := a.apart()
	if p.port == "" {
		return func() {}
	}
	said := make(chan struct{})
	timer := time.AfterFunc(patience, func() {
		defer close(said)
		if err := p.elsewhere(listening()); err != nil {
			logline.Note(true, err.Error(), logline.HintOf(err)).To(log)
		}
	})
	return func() {
		if !timer.Stop() {
			<-said
		}
	}
}

// patience is how long an app that listens elsewhere may take to listen where it was told to,
// before that is said: a debug server may be first. A guess.
const patience = 2 * time.Second

// elsewhere says of an app that listens, and not where it was told to, what to do; nil of any
// other.
func (a *address) elsewhere(listening []netip.AddrPort) error {
	p, _ := a.apart()
	return p.elsewhere(listening)
}

func (p apart) elsewhere(listening []netip.AddrPort) error {
	if p.port == "" || len(listening) == 0 {
		return nil
	}
	for _, at := range listening {
		if strconv.Itoa(int(at.Port())) == p.port {
			return nil
		}
	}
	return logline.WithHint(fmt.Errorf("the app listens at %s, and not at port %s, which PORT says", listening[0], p.port),
		fmt.Sprintf("have it take PORT (port_env below [front] has other names for it) or an argument with {port}, or write target = \"127.0.0.1:%d\" below [front]", listening[0].Port()))
}

func (p apart) dials() []string {
	if host, port, err := net.SplitHostPort(p.app); err == nil && host == "" {
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	return []string{p.app}
}

func (p apart) await(r *ready.Rule, _ *ready.Target) {
	switch {
	case r.HTTP == "" && r.TCP == "":
		r.TCP = p.app
	case r.TCP == "" && strings.HasPrefix(r.HTTP, "/"):
		host, port, _ := net.SplitHostPort(p.app)
		if host == "" {
			host = "localhost"
		}
		if u, err := url.Parse(r.HTTP); err == nil {
			u.Scheme, u.Host = "http", net.JoinHostPort(host, port)
			r.HTTP = u.String()
		}
	}
}

func (apart) found([]netip.AddrPort) {}
