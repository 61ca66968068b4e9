package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/supervisor/logline"
)

// Examination is what an environment says about databases, and what they say themselves.
// It holds no password.
type Examination struct {
	Named    []string // variables that were looked for
	Servers  []Examined
	Loose    []Loose // what is not led to us, or is not understood
	Embedded bool    // a private server stands for all: nothing was looked at
}

// Loose is a variable that holds the address of a database, or may do so, which the
// app would use past us.
type Loose struct{ Reason, Fix string }

// Examined is one server, database and user.
type Examined struct {
	Name      string // user@server/database
	Variables []string
	Role      dsn.Role // the closest of theirs; of Other nothing was asked
	DirectEnv string   // the variable that would lead past a pooler, DirectSet whether it does
	DirectSet bool

	Err  string // why it cannot be used, "" when it can; what follows Wish is not known then
	Code string // that of trouble
	Wish string // the mode of the configuration

	Mode, Kind, Reason string // as in a `database` line
	Fallback           bool   // we cannot do what the app does
	Version            string
	RoundTrip          time.Duration
	TLS                string // its version, "" without
	Local              bool   // a Unix socket, a loopback or private address

	Rights string // why the role may not end a session of its own; "" when it may
	Grant  string // the SQL that lets it
	Single string // why there was no second session
}

// Examine looks at the databases of an environment as a Guard with these options would,
// and asks those servers that a Guard asks of its own accord. It leaves nothing behind.
func Examine(ctx context.Context, o Options) (Examination, error) {
	all, err := withDefaults(o.Databases)
	if err != nil {
		return Examination{}, err
	}
	if len(all.embedded()) > 0 {
		return Examination{Embedded: true}, nil
	}
	env, files, names := dsn.Env(o.Env), dsn.ReadDir(o.Dir), all.names()
	names.Drivers = driversOf(o.Imports)
	found, err := dsn.Find(env, files, names)
	x := Examination{Named: slices.Concat(names.URLs, names.Direct), Loose: loose(err)}
	for _, u := range dsn.FindUnled(env, files, names) {
		x.Loose = append(x.Loose, unled(u))
	}
	servers := &examiner{dir: o.Dir, databases: all}
	for _, f := range found {
		servers.add(f)
	}
	var asked sync.WaitGroup
	for _, s := range servers.list {
		if s.Err == "" && s.Role != dsn.Other && s.Wish != string(modeOff) {
			asked.Go(func() { s.ask(ctx) })
		}
	}
	asked.Wait()
	for _, s := range servers.list {
		s.DirectSet = slices.ContainsFunc(found, func(f dsn.Found) bool { return f.Name == s.DirectEnv })
		x.Servers = append(x.Servers, s.Examined)
	}
	return x, nil
}

// examiner collects what leads to the same server.
type examiner struct {
	dir       string
	databases databases
	list      []*subject
}

// subject is a server under examination.
type subject struct {
	Examined
	id       dsn.Identity
	config   *pgconn.Config
	settings dsn.Settings
	fallback string
}

func (x *examiner) add(f dsn.Found) {
	d := x.databases.of(f.Name)
	s := &subject{settings: f.Settings, Examined: Examined{
		Name: f.Name, Variables: []string{f.Name}, Role: f.Role, Wish: d.Mode, Mode: d.Mode, DirectEnv: d.DirectURLEnv,
	}}
	var err error
	if s.config, s.id, err = f.Settings.Config(x.dir); err != nil {
		s.Err, s.Code = err.Error(), codeSettings
		x.list = append(x.list, s)
		return
	}
	s.Name = s.id.String()
	s.fallback = uncarriable(f, x.dir, mode(d.Mode))
	i := slices.IndexFunc(x.list, func(o *subject) bool { return o.id == s.id && o.config != nil })
	if i < 0 {
		x.list = append(x.list, s)
		return
	}
	if o := x.list[i]; s.Role < o.Role {
		s.Variables = append(o.Variables, s.Variables...)
		x.list[i] = s
	} else {
		o.Variables = append(o.Variables, s.Variables...)
	}
}

// Codes of a trouble that has no SQLSTATE.
const (
	codeHost        = "host"
	codeSilent      = "silent"
	codeTimeout     = "timeout"
	codeCertificate = "certificate"
	codeSettings    = "settings"
	codeNoTLS       = "no TLS"
	codeOurs        = "ours" // the app may fare better
	codeOther       = "other"
)

// examineLimit bounds the examination of one server: a probe is a few round trips, and
// each of its steps has a limit of its own.
const examineLimit = 15 * time.Second

func (s *subject) fail(t trouble) { s.Err, s.Code = t.reason, t.code }

// ask fills in what the server says.
func (s *subject) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, examineLimit)
	defer cancel()
	if err := s.look(ctx); err != nil {
		s.fail(explain(err, s.settings))
		return
	}
	v, err := probe(ctx, s.config)
	if err != nil {
		s.fail(explain(err, s.settings))
		return
	}
	m := decide(mode(s.Wish), s.fallback, v)
	line, _ := databaseLine(m, s.fallback, v)
	s.Mode, s.Kind, s.Reason, s.Fallback = line.Mode, line.Kind, line.Reason, s.fallback != ""
	if v.kind == postgres {
		s.tryRights(ctx)
	}
}

// look measures a session.
func (s *subject) look(ctx context.Context) error {
	conn, err := connect(ctx, s.config)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	s.Version = "PostgreSQL " + conn.ParameterStatus("server_version")
	s.Local = isNear(conn.Conn().RemoteAddr())
	if c, ok := conn.Conn().(*tls.Conn); ok {
		s.TLS = tls.VersionName(c.ConnectionState().Version)
	}
	for range 3 { // the first finds a pooler without a server, or a network without a route
		begun := time.Now()
		if _, err := conn.Exec(ctx, "select 1").ReadAll(); err != nil {
			return err
		}
		if took := time.Since(begun); s.RoundTrip == 0 || took < s.RoundTrip {
			s.RoundTrip = took
		}
	}
	return nil
}

// isNear reports whether what goes to an address stays on this machine or in a network of
// its own.
func isNear(a net.Addr) bool {
	ip := addrPort(a).Addr()
	return !ip.IsValid() || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// tryRights has one session of our own end another one.
func (s *subject) tryRights(ctx context.Context) {
	first, err := dialOwn(ctx, s.config)
	if err != nil {
		s.Single = explain(err, s.settings).reason
		return
	}
	defer first.close(ctx)
	second, err := dialOwn(ctx, s.config)
	if err != nil {
		s.Single = explain(err, s.settings).reason
		return
	}
	defer second.close(ctx)
	told, err := activity.Terminate(ctx, first.conn, []activity.Session{second.self})
	switch {
	case err != nil:
		s.Rights = explain(err, s.settings).reason
	case told == 0:
		s.Rights = "it does not find them in pg_stat_activity"
	}
	arguments := "integer, bigint"
	if major(first.conn.ParameterStatus("server_version")) < 14 {
		arguments = "integer"
	}
	s.Grant = fmt.Sprintf(`grant execute on function pg_catalog.pg_terminate_backend(%s) to "%s"`, arguments, strings.ReplaceAll(s.config.User, `"`, `""`))
}

// loose says of what dsn.Find has left out how it is led.
func loose(err error) (list []Loose) {
	var conflict *dsn.ConflictError
	var doubt *dsn.DoubtError
	switch all, joined := err.(interface{ Unwrap() []error }); {
	case err == nil, errors.Is(err, dsn.ErrNotListed) && !joined, errors.Is(err, dsn.ErrNone) && !joined:
		return nil
	case joined:
		for _, one := range all.Unwrap() {
			list = append(list, loose(one)...)
		}
		return list
	case errors.As(err, &conflict):
		return []Loose{{conflict.Error(), conflict.Fix()}}
	case errors.As(err, &doubt):
		return []Loose{{doubt.Error(), doubt.Fix()}}
	}
	return []Loose{{err.Error(), logline.HintOf(err)}}
}

// unled says why a variable is not led to us.
func unled(u dsn.Unled) Loose {
	where := "the environment"
	if u.File != "" {
		where = u.File
	}
	if u.Form {
		return Loose{fmt.Sprintf("%s of %s holds the address of a Postgres in a form that devguard does not read: what uses it goes past devguard", u.Name, where),
			"where the app can take one, use a postgres:// URL; else give it the fixed address of listen under [[database]]"}
	}
	return Loose{fmt.Sprintf("%s of %s holds the address of a database and goes past devguard, because the app reads the file by itself", u.Name, where),
		fmt.Sprintf("write env_files = [%q] under [app] in devguard.toml", u.File)}
}
