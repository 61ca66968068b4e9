package dbguard

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// Option changes what [ConfigFromEnv] and [Open] do.
type Option func(*options)

type options struct {
	lookup      func(string) (string, bool)
	urlEnv      []string
	directEnv   string
	application string
	maxConns    int32
	log         *slog.Logger
	slow        time.Duration
	mode        pgx.QueryExecMode // 0: to be found out
	development *bool
}

func newOptions(opts []Option) *options {
	o := &options{lookup: os.LookupEnv, urlEnv: []string{"DATABASE_URL", "SUPABASE_DATABASE_URL"}, directEnv: "DIRECT_URL"}
	for _, set := range opts {
		set(o)
	}
	return o
}

// WithEnv replaces os.LookupEnv.
func WithEnv(lookup func(name string) (value string, found bool)) Option {
	return func(o *options) { o.lookup = lookup }
}

// WithURLEnv names the variables that hold the URL, the first that is set and not
// empty wins; the default is DATABASE_URL, then SUPABASE_DATABASE_URL.
func WithURLEnv(names ...string) Option {
	return func(o *options) { o.urlEnv = names }
}

// WithDirectURLEnv names the variable that holds the URL for migrations, which must
// not pass through a transaction pooler; the default is DIRECT_URL.
func WithDirectURLEnv(name string) Option {
	return func(o *options) { o.directEnv = name }
}

// WithApplicationName is the application_name of a URL that has none, where
// PGAPPNAME is not set either; the default is the name of the program.
func WithApplicationName(name string) Option {
	return func(o *options) { o.application = name }
}

// WithMaxConns bounds the pool; it wins over pool_max_conns in the URL. Less than 1
// is not an option.
func WithMaxConns(n int) Option {
	return func(o *options) { o.maxConns = int32(min(max(n, 0), 1<<16)) }
}

// WithLogger is where the pool, and Retry, RetryTx, Reset and ClearPreparedStatements
// for it, say what they do; the default is slog.Default.
func WithLogger(log *slog.Logger) Option {
	return func(o *options) { o.log = log }
}

// WithSlowQueries logs statements that took d or longer, without their literals; 0,
// the default, logs none.
func WithSlowQueries(d time.Duration) Option {
	return func(o *options) { o.slow = d }
}

// WithExecMode sets how pgx executes queries. Without it, and without a
// default_query_exec_mode in the URL, Open finds out what is right.
func WithExecMode(mode pgx.QueryExecMode) Option {
	return func(o *options) { o.mode = mode }
}

// WithDevelopment says whether this is a developer's machine: small bounds for the
// pool, and failed statements and the server's warnings are logged. The default is
// whether DEVGUARD is 1, as it is under devguard.
func WithDevelopment(on bool) Option {
	return func(o *options) { o.development = &on }
}

// value returns a variable, "" when it is not set.
func (o *options) value(name string) string {
	v, _ := o.lookup(name)
	return v
}

func (o *options) developing() bool {
	if o.development != nil {
		return *o.development
	}
	return o.value("DEVGUARD") == "1"
}

// applicationName returns the default, in the 63 bytes that a server keeps.
func (o *options) applicationName() string {
	name := o.application
	if name == "" {
		name = filepath.Base(os.Args[0])
	}
	return name[:min(len(name), 63)]
}
