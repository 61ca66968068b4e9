package dsn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Identity is what makes two connection strings the same upstream.
type Identity struct {
	Server   string // "host:port", several joined with commas; a socket as its path
	Database string
	User     string

	route string // what else decides which server answers: hostaddr, target_session_attrs; mostly ""
}

// String returns user@server/database.
func (id Identity) String() string { return id.User + "@" + id.Server + "/" + id.Database }

// variables are those of the PGHOST family that fill in what a connection
// string leaves open, with the keyword of each.
var variables = map[string]string{
	"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user",
	"PGPASSWORD": "password", "PGPASSFILE": "passfile", "PGSERVICE": "service", "PGSERVICEFILE": "servicefile",
	"PGOPTIONS": "options", "PGCONNECT_TIMEOUT": "connect_timeout",
	"PGSSLMODE": "sslmode", "PGSSLNEGOTIATION": "sslnegotiation", "PGSSLCERT": "sslcert", "PGSSLKEY": "sslkey",
	"PGSSLROOTCERT": "sslrootcert", "PGSSLPASSWORD": "sslpassword", "PGSSLCERTMODE": "sslcertmode", "PGSSLSNI": "sslsni",
	"PGCHANNELBINDING": "channel_binding", "PGREQUIREAUTH": "require_auth",
	"PGTARGETSESSIONATTRS": "target_session_attrs", "PGLOADBALANCEHOSTS": "load_balance_hosts",
	"PGSSLCOMPRESSION": "sslcompression", "PGSSLCRL": "sslcrl", "PGSSLCRLDIR": "sslcrldir",
	"PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version", "PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
	"PGGSSENCMODE": "gssencmode", "PGGSSLIB": "gsslib", "PGGSSDELEGATION": "gssdelegation",
	"PGKRBSRVNAME": "krbsrvname", "PGREQUIREPEER": "requirepeer",
	"PGMINPROTOCOLVERSION": "min_protocol_version", "PGMAXPROTOCOLVERSION": "max_protocol_version",
}

// With returns s with the holes filled from the environment, as every driver
// based on libpq's rules does. With a service named, the environment counts
// only where its file, which is read later, leaves a hole too.
func (s Settings) With(env map[string]string) Settings {
	values, under := maps.Clone(s.values), map[string]string{}
	if values == nil {
		values = map[string]string{}
	}
	service := values["service"] != "" || env["PGSERVICE"] != ""
	for name, key := range variables {
		switch {
		case values[key] != "" || env[name] == "":
		case service && key != "service" && key != "servicefile":
			under[key] = env[name]
		default:
			values[key] = env[name]
		}
	}
	return Settings{values, under}
}

// files are the keywords whose value is a path.
var files = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"}

// Config returns the configuration of a connection of our own to the server
// that s names, and what it identifies. Paths are relative to dir, where the
// app resolves them. Session settings are left out: the app's search_path or
// its driver's pool_* are not for us, and a server refuses what it does not
// know. Of `options` those words stay that some hosted servers route by. What
// Unsupported names is not applied. The error never quotes a password.
func (s Settings) Config(dir string) (*pgconn.Config, Identity, error) {
	s, err := s.dissolve(dir)
	if err != nil {
		return nil, Identity{}, fmt.Errorf("the connection settings are not usable: %w", err)
	}
	values := maps.Clone(s.values)
	if values == nil {
		values = map[string]string{}
	}
	for _, key := range files {
		if v := values[key]; v != "" && v != "system" && !filepath.IsAbs(v) {
			values[key] = filepath.Join(dir, v)
		}
	}
	if values["sslmode"] == "no-verify" { // of node's pg: require without a look at the certificate
		values["sslmode"] = "require"
		delete(values, "sslrootcert")
	}
	dial, err := takeAddresses(values)
	keep, err2 := keepAlive(values)
	if err := cmp.Or(err, err2); err != nil {
		return nil, Identity{}, fmt.Errorf("the connection settings are not usable: %w", err)
	}
	config, err := pgconn.ParseConfig(Settings{values: values}.unmasked())
	if err != nil {
		return nil, Identity{}, fmt.Errorf("the connection settings are not usable: %s", s.reason(err))
	}
	config.LookupFunc = dial.around(config.LookupFunc)
	if keep != nil {
		config.DialFunc = dialer(config.ConnectTimeout, *keep)
	}
	options := routing(config.RuntimeParams["options"])
	clear(config.RuntimeParams)
	if options != "" {
		config.RuntimeParams["options"] = options
	}
	return config, identity(config, s), nil
}

// reason returns what pgconn said about the settings, without the connection
// string that its own message quotes.
func (s Settings) reason(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return s.Scrub(inner.Error())
	}
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	return s.Scrub(text)
}

// identity says which server, database and user a configuration is for.
func identity(c *pgconn.Config, s Settings) Identity {
	var servers []string
	add := func(host string, port uint16) {
		server := net.JoinHostPort(host, strconv.Itoa(int(port)))
		if network, address := pgconn.NetworkAddress(host, port); network == "unix" {
			server = address
		}
		if !slices.Contains(servers, server) { // with and without TLS
			servers = append(servers, server)
		}
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		add(f.Host, f.Port)
	}
	database := c.Database
	if database == "" {
		database = c.User // the server's own default
	}
	attrs := s.Get("target_session_attrs")
	if attrs == "any" {
		attrs = ""
	}
	route := strings.Trim(s.Get("hostaddr")+" "+attrs, " ")
	return Identity{strings.Join(servers, ","), database, c.User, route}
}
