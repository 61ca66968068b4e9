package dsn

import (
	"slices"
	"strings"
)

// A keyword of a connection string says either where and how to connect, or
// what the session is like. The first kind is ours when an upstream is reached
// through devguard; the second (options, search_path, a driver's pool_*,
// Prisma's schema) is the app's and stays as it is. Nothing in a string tells
// the two apart, so the first kind is listed: libpq's manual, "Parameter Key
// Words", as of PostgreSQL 18, with the spellings of other drivers.

// place are the keywords that say which server, database and user.
var place = []string{"host", "hostaddr", "port", "user", "password", "dbname"}

// connection are further keywords that say how to connect. The names that
// begin with one of prefixes belong to them.
var connection = []string{
	"passfile", "service", "servicefile", "channel_binding", "require_auth", "requirepeer",
	"target_session_attrs", "load_balance_hosts", "tcp_user_timeout", "scram_client_key", "scram_server_key",
}

// prefixes are none of any parameter that a session may set on a server (its
// scram_iterations is one, so that "scram_" is not here).
var prefixes = []string{"ssl", "gss", "krb", "keepalives", "oauth_"}

// connects reports whether a keyword says where or how to connect.
func connects(key string) bool {
	return slices.Contains(place, key) || slices.Contains(connection, key) ||
		slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// honoured are those of connection that Config applies.
var honoured = []string{
	"passfile", "service", "servicefile", "channel_binding", "require_auth", "target_session_attrs",
	"sslmode", "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslsni",
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"sslcompression", // libpq itself ignores it since OpenSSL no longer compresses
}

// harmless are values that ask for nothing, of keywords that are not honoured.
var harmless = map[string][]string{
	"gssencmode":         {"disable", "prefer"},
	"gssdelegation":      {"0"},
	"load_balance_hosts": {"disable"},
	"tcp_user_timeout":   {"0"},
	"ssl":                {"false", "0"},           // of node's pg; true is sslmode=require
	"sslaccept":          {"accept_invalid_certs"}, // Prisma's default
}

// Unsupported returns the names of the connection options that a connection of
// ours cannot honour, in order; with none the upstream can be proxied. A
// service file that s names is read, relative to dir; one that cannot be read
// is Config's to report.
func (s Settings) Unsupported(dir string) []string {
	if full, err := s.dissolve(dir); err == nil {
		s = full
	}
	var names []string
	for key, value := range s.values {
		if connects(key) && !slices.Contains(place, key) && !slices.Contains(honoured, key) &&
			!slices.Contains(harmless[key], value) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}
