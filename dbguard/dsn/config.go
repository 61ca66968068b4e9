package dsn

import (
	"context"
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
	"PGTARGETSESSIONATTRS": "target_session_attrs",
	"PGMINPROTOCOLVERSION": "min_protocol_version", "PGMAXPROTOCOLVERSION": "max_protocol_version",
}

// With returns s with the holes filled from the environment, as every driver
// based on libpq's rules does. A service file stands between the two: with one
// named, only its name and place are taken, and pgconn does the rest.
func (s Settings) With(env map[string]string) Settings {
	values := maps.Clone(s.values)
	if values == nil {
		values = map[string]string{}
	}
	service := values["service"] != "" || env["PGSERVICE"] != ""
	for name, key := range variables {
		if service && key != "service" && key != "servicefile" {
			continue
		}
		if values[key] == "" && env[name] != "" {
			values[key] = env[name]
		}
	}
	return Settings{values}
}

// Without returns s without the keywords.
func (s Settings) Without(keys ...string) Settings {
	values := maps.Clone(s.values)
	for _, key := range keys {
		delete(values, key)
	}
	return Settings{values}
}

// files are the keywords whose value is a path.
var files = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"}

// Config returns the configuration of a connection of our own to the server
// that s names, and what it identifies. Paths are relative to dir, where the
// app resolves them. Session settings are left out, apart from `options`, which
// some hosted servers route by: the app's search_path or its driver's pool_*
// are not for us, and a server refuses what it does not know. The error never
// quotes a password.
func (s Settings) Config(dir string) (*pgconn.Config, Identity, error) {
	values := maps.Clone(s.values)
	for _, key := range files {
		if v := values[key]; v != "" && v != "system" && !filepath.IsAbs(v) {
			values[key] = filepath.Join(dir, v)
		}
	}
	hostaddr := values["hostaddr"]
	delete(values, "hostaddr")
	if hostaddr != "" && values["host"] == "" {
		values["host"] = hostaddr
	}
	config, err := pgconn.ParseConfig(Settings{values}.unmasked())
	if err != nil {
		return nil, Identity{}, fmt.Errorf("the connection settings are not usable: %s", s.reason(err))
	}
	if hostaddr != "" {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return strings.Split(hostaddr, ","), nil }
	}
	maps.DeleteFunc(config.RuntimeParams, func(key, _ string) bool { return key != "options" })
	return config, identity(config), nil
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
func identity(c *pgconn.Config) Identity {
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
	return Identity{strings.Join(servers, ","), database, c.User}
}
