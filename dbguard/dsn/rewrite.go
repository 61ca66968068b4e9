package dsn

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Target is the loopback listener that stands for an upstream.
type Target struct {
	Host     string // an address
	Port     uint16
	User     string
	Password string // a secret of one generation, in characters that need no quoting anywhere
	Database string
}

// Format prints a Target without its password.
func (t Target) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%s@%s/%s", t.User, t.address(), t.Database)
}

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) }

// settings returns t as keywords.
func (t Target) settings() []pair {
	return []pair{{"host", t.Host}, {"port", strconv.Itoa(int(t.Port))}, {"user", t.User},
		{"password", t.Password}, {"dbname", t.Database}, {"sslmode", "disable"}}
}

// pair is a keyword and its plain value.
type pair struct{ key, value string }

// Rewrite returns f's value leading to t: what says where and how to connect is
// replaced or taken out, everything else stays in its order and spelling. The
// session settings of a service file, which is read relative to dir, are
// written out, as the service itself goes. It is not for the PGHOST set: that
// is Family's.
func (f Found) Rewrite(t Target, dir string) (string, error) {
	extra, err := f.Settings.fromService(dir)
	if err != nil {
		return "", err
	}
	extra = slices.DeleteFunc(extra, func(p pair) bool { return connects(p.key) })
	conn := trim(f.Value)
	switch {
	case f.Value == "":
		return "", errors.New("there is no value to rewrite")
	case IsURL(conn):
		return rewriteURL(conn, t, extra)
	}
	return editKeywords(conn, append(t.settings(), extra...), connects)
}

// rewriteURL is Rewrite for URLs. Its parts before the "?" say it all, as not
// every driver knows user, password or dbname as parameters.
func rewriteURL(conn string, t Target, extra []pair) (string, error) {
	p := splitURL(conn)
	p.user = escape(t.User) + ":" + escape(t.Password)
	p.hosts = t.address()
	if spelled, err := url.PathUnescape(p.dbname); err != nil || spelled != t.Database {
		p.dbname = escape(t.Database)
	}
	// In front, and not where an old sslmode stood: for some parsers a "#" in
	// the value of a parameter ends the query.
	extra = append([]pair{{"sslmode", "disable"}}, extra...)
	var err error
	p.query, err = editQuery(p.query, extra, connects)
	return p.String(), err
}

// editQuery returns a query without the parameters that drop takes, and with
// the pairs of add in front that it does not hold, be it with an empty value.
func editQuery(query string, add []pair, drop func(key string) bool) (string, error) {
	var kept []string
	var keys []string
	for one := range strings.SplitSeq(query, "&") {
		if one == "" {
			continue
		}
		name, _, _ := strings.Cut(one, "=")
		key, err := parameter(name)
		if err != nil {
			return "", err
		}
		if !drop(key) {
			kept, keys = append(kept, one), append(keys, key)
		}
	}
	var out []string
	for _, p := range add {
		if !slices.Contains(keys, p.key) {
			out = append(out, escape(p.key)+"="+escape(p.value))
		}
	}
	return strings.Join(append(out, kept...), "&"), nil
}

// editKeywords is editQuery for the keyword form. The new ones are in front
// because a backslash may be the last character of the old.
func editKeywords(conn string, add []pair, drop func(key string) bool) (string, error) {
	tokens, err := splitKeywords(conn)
	if err != nil {
		return "", err
	}
	tokens = slices.DeleteFunc(tokens, func(t token) bool { return drop(t.key) })
	var out []string
	for _, p := range add {
		if !slices.ContainsFunc(tokens, func(t token) bool { return t.key == p.key }) {
			out = append(out, p.key+"="+quote(p.value))
		}
	}
	for _, t := range tokens {
		out = append(out, t.raw)
	}
	return strings.Join(out, " "), nil
}

// fromService returns what only the service of s says, in order.
func (s Settings) fromService(dir string) ([]pair, error) {
	full, err := s.dissolve(dir)
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, key := range slices.Sorted(maps.Keys(full.values)) {
		if v := full.values[key]; v != s.values[key] && v != s.under[key] {
			pairs = append(pairs, pair{key, v})
		}
	}
	return pairs, nil
}

// sessionVariables are those that a service's session settings go to.
var sessionVariables = map[string]string{
	"options": "PGOPTIONS", "application_name": "PGAPPNAME", "client_encoding": "PGCLIENTENCODING",
	"connect_timeout": "PGCONNECT_TIMEOUT",
}

// Family returns the variables to set so that the PGHOST set leads to t; s are
// the settings of the set, for the session settings of its service, read
// relative to dir. The variables of Leaving must be gone before they are set.
func (s Settings) Family(t Target, dir string) (map[string]string, error) {
	extra, err := s.fromService(dir)
	if err != nil {
		return nil, err
	}
	set := map[string]string{
		"PGHOST": t.Host, "PGPORT": strconv.Itoa(int(t.Port)), "PGUSER": t.User,
		"PGPASSWORD": t.Password, "PGDATABASE": t.Database, "PGSSLMODE": "disable",
	}
	for _, p := range extra {
		if name := sessionVariables[p.key]; name != "" {
			set[name] = p.value
		}
	}
	return set, nil
}

// Leaving returns the variables that leave an environment in which anything is
// rewritten, in order: those that say how to connect, and PGHOSTADDR, which
// would lead a driver of libpq past every rewritten host.
func Leaving() []string {
	var names []string
	for name, key := range variables {
		if key == "hostaddr" || connects(key) && !slices.Contains(place, key) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// String puts the URL together.
func (p parts) String() string {
	var b strings.Builder
	b.WriteString(p.scheme + "://")
	if p.user != "" {
		b.WriteString(p.user + "@")
	}
	b.WriteString(p.hosts + "/" + p.dbname)
	if p.query != "" {
		b.WriteString("?" + p.query)
	}
	return b.String()
}

// escape writes a value into a URL so that every parser takes it whole.
func escape(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}
