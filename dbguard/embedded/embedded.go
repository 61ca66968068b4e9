package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// The server's only role is its superuser, as an app's migrations create extensions; the database
// has one name for all projects, so that a renamed folder keeps its data.
const (
	role     = "postgres"
	database = "app"
)

// Options says whose server it is. Project alone must be set.
type Options struct {
	Project  string                       // absolute; the server's files lie in its .devguard
	Log      *slog.Logger                 // nil: slog.Default
	LookPath func(string) (string, error) // nil: exec.LookPath

	find     func(context.Context, *Account) []Binaries // a test's in place of Find
	settings string                                     // a test's lines for postgresql.conf
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.LookPath == nil {
		o.LookPath = exec.LookPath
	}
	if o.find == nil {
		o.find = func(ctx context.Context, a *Account) []Binaries { return Find(ctx, a, o.LookPath) }
	}
	return o
}

// Server is one devguard's share of the project's server.
type Server struct {
	port     int
	password string
	share    *os.File
	closing  sync.Once
	closed   error
}

// record is what server.json says of the running server, or of the last one: its port is asked for
// again.
type record struct {
	Port int `json:"port"`
}

// Acquire takes a share of the project's server and starts it when nobody has. The first start of a
// project makes the database, and fetches the server programs when the machine has none: a line of
// the log says so. When ctx ends first, nothing is left behind.
func Acquire(ctx context.Context, o Options) (*Server, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	account, err := ServerAccount()
	if err != nil {
		return nil, err
	}
	l, err := newLayout(o.Project, account)
	if err != nil {
		return nil, err
	}
	if err := l.create(account); err != nil {
		return nil, l.belongs(err)
	}
	share, err := lockFile(ctx, l.share(), false)
	if err != nil {
		return nil, fmt.Errorf("take a share of the embedded Postgres: %w", l.belongs(err))
	}
	s, err := join(ctx, o, l, account)
	if err != nil {
		share.Close()
		return nil, err
	}
	s.share = share
	return s, nil
}

// join finds the running server or starts one. The caller holds a share, so that a server which
// runs now goes on running.
func join(ctx context.Context, o Options, l layout, account *Account) (*Server, error) {
	starting, err := lockFile(ctx, l.start(), true)
	if err != nil {
		return nil, fmt.Errorf("wait for another devguard that starts the embedded Postgres: %w", l.belongs(err))
	}
	defer starting.Close()
	for {
		guardian, free, err := tryLock(l.guardian())
		if err != nil {
			return nil, fmt.Errorf("look for the embedded Postgres: %w", err)
		}
		if free {
			defer guardian.Close() // the guardian has inherited it by then
			return startServer(ctx, o, l, account, guardian)
		}
		s, err := running(ctx, l)
		if s != nil || err != nil {
			return s, err
		}
	}
}

// running waits for the server of a live guardian to answer; nil without an error means that the
// guardian has ended meanwhile.
func running(ctx context.Context, l layout) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a guardian stops its server sooner
	defer cancel()
	for {
		s, err := l.recorded()
		if err == nil {
			err = s.ping(ctx)
		}
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, logline.WithHint(fmt.Errorf("the embedded Postgres of this project runs but does not answer: %w; its log is %s", err, l.log()),
				"if it was started in another container, stop it there")
		}
		f, free, lerr := tryLock(l.guardian())
		if lerr != nil {
			return nil, lerr
		}
		if free {
			f.Close()
			return nil, nil
		}
		pause(ctx)
	}
}

// recorded reads what server.json and the password file say.
func (l layout) recorded() (*Server, error) {
	b, err := os.ReadFile(l.record())
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", l.record(), err)
	}
	pw, err := os.ReadFile(l.password())
	if err != nil {
		return nil, err
	}
	return &Server{port: r.Port, password: strings.TrimSpace(string(pw))}, nil
}

// URL returns the address for the app, with the password: not for a log.
func (s *Server) URL() string { return s.urlOf(database) }

func (s *Server) urlOf(db string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

// Close gives the share back; with the last one the server stops, soon after Close has returned.
// Close may be called more than once.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closed = s.share.Close() })
	return s.closed
}
