package dbguard

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds of a pool in development: a database on the same machine, shared with a
// colleague's or with last minute's generation of the app. They are guesses; pool_*
// parameters of the URL win.
const (
	devMaxConns    = 8
	devMaxIdle     = 5 * time.Minute
	devMaxLifetime = 30 * time.Minute
	devHealthCheck = 15 * time.Second
)

// Config is what the environment says about the database. However it is printed, the
// passwords are not; its fields hold them.
type Config struct {
	URL       string          `json:"-"` // of the app
	Source    string          // the variable that URL comes from
	DirectURL string          `json:"-"` // for migrations; URL when there is none
	Pool      *pgxpool.Config `json:"-"` // made of URL; may be changed before Open

	options  *options
	explicit bool // the exec mode was asked for
}

// ConfigFromEnv reads the environment. It connects to nothing.
//
// It fails when no variable holds a URL, or when the URL cannot be understood; the
// error names the variable, and nothing of the URL is in it.
func ConfigFromEnv(opts ...Option) (*Config, error) {
	o := newOptions(opts)
	c := &Config{options: o}
	for _, name := range o.urlEnv {
		if c.URL = o.value(name); c.URL != "" {
			c.Source = name
			break
		}
	}
	if c.URL == "" {
		return nil, fmt.Errorf("no database URL: set %s", strings.Join(o.urlEnv, " or "))
	}
	if err := plain(c.URL); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Source, err)
	}
	pool, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Source, parseProblem(err))
	}
	c.DirectURL = cmp.Or(o.value(o.directEnv), c.URL)
	c.Pool = pool
	return c, c.apply()
}

// apply puts the options, and what development wants, into the pool's configuration.
func (c *Config) apply() error {
	o, conn := c.options, c.Pool.ConnConfig
	given, err := pgconn.ParseConfig(c.URL) // which leaves the parameters of pgx and pgxpool where they are
	if err != nil {
		return fmt.Errorf("%s: %w", c.Source, parseProblem(err))
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = o.applicationName()
	}
	_, c.explicit = given.RuntimeParams["default_query_exec_mode"]
	if o.mode != 0 {
		conn.DefaultQueryExecMode, c.explicit = o.mode, true
	}
	t := &tracer{log: o.log, slow: o.slow}
	conn.Tracer = t
	if o.developing() {
		c.develop(given.RuntimeParams)
		t.failed = true
		conn.OnNotice = t.notice
	}
	if o.maxConns > 0 {
		c.Pool.MaxConns = o.maxConns
	}
	return nil
}

// develop sets the bounds that the URL does not.
func (c *Config) develop(given map[string]string) {
	bound := func(name string, set func()) {
		if _, found := given[name]; !found {
			set()
		}
	}
	bound("pool_max_conns", func() { c.Pool.MaxConns = devMaxConns })
	bound("pool_max_conn_idle_time", func() { c.Pool.MaxConnIdleTime = devMaxIdle })
	bound("pool_max_conn_lifetime", func() { c.Pool.MaxConnLifetime = devMaxLifetime })
	bound("pool_health_check_period", func() { c.Pool.HealthCheckPeriod = devHealthCheck })
}

// String describes the configuration without its passwords.
func (c Config) String() string {
	if c.Pool == nil {
		return "no database"
	}
	conn := c.Pool.ConnConfig
	return fmt.Sprintf("database %s as %s on %s:%d (from %s)", conn.Database, conn.User, conn.Host, conn.Port, c.Source)
}

// Format makes every verb print String: the fields hold passwords.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// plain refuses a URL in which a password would be taken for a host or a database,
// which every later error would name.
func plain(url string) error {
	_, rest, isURL := strings.Cut(url, "://")
	if !isURL {
		return nil
	}
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	if strings.Contains(rest, "@") {
		return errors.New("the URL has an @ or / in its password or an @ in its path: write %40 for @ and %2F for /")
	}
	return nil
}

// parseProblem returns what pgx says is wrong with a connection string, without the
// string and without its details: pgx can but guess where a password is in what it
// does not understand. The error itself has the string in a field, so it is not
// wrapped.
func parseProblem(err error) error {
	var e *pgconn.ParseConfigError
	if !errors.As(err, &e) {
		return errors.New("the database URL cannot be understood")
	}
	bare := *e
	bare.ConnString = ""
	reason, _, _ := strings.Cut(strings.TrimPrefix(bare.Error(), "cannot parse ``: "), " (")
	return fmt.Errorf("the database URL cannot be understood: %s", reason)
}
