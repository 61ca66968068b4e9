package dsn

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// IsURL reports whether value is a URL of Postgres.
func IsURL(value string) bool {
	return strings.HasPrefix(value, "postgres://") || strings.HasPrefix(value, "postgresql://")
}

// Parse reads a connection string: a URL, or libpq's keywords ("host=db
// dbname=app"). Errors never quote it.
func Parse(conn string) (Settings, error) {
	conn = trim(conn)
	if strings.IndexByte(conn, 0) >= 0 {
		return Settings{}, errors.New("it holds a NUL byte")
	}
	values := map[string]string{}
	var err error
	switch {
	case IsURL(conn):
		err = parseURL(conn, values)
	case foreign(conn) != "":
		scheme := foreign(conn)
		if !plainWord(scheme) {
			return Settings{}, errors.New("it is not a connection string of Postgres")
		}
		return Settings{}, fmt.Errorf("it is a %s:// URL, not one of Postgres", scheme)
	default:
		err = parseKeywords(conn, values)
	}
	if err != nil {
		return Settings{}, err
	}
	return Settings{values: values}, nil
}

// trim takes the blanks off around a connection string. At the end of keywords
// they stay: a backslash may escape one.
func trim(conn string) string {
	conn = strings.TrimLeft(conn, spaces)
	if IsURL(conn) {
		return strings.TrimRight(conn, spaces)
	}
	return conn
}

// foreign returns the scheme of a URL, "" when conn is none: a keyword's value
// may hold a URL.
func foreign(conn string) string {
	scheme, _, found := strings.Cut(conn, "://")
	if !found || strings.ContainsAny(scheme, "="+spaces) {
		return ""
	}
	return scheme
}

// plainWord reports whether s can be printed: a scheme, and no piece of a
// password that happens to hold "://".
func plainWord(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' {
			return false
		}
	}
	return s != "" && len(s) <= 16
}

// parts are the raw pieces of a URL:
// scheme://user:password@host:port,host:port/dbname?key=value.
type parts struct {
	scheme, user, hosts, dbname, query string
}

// splitURL takes a URL apart. As in libpq, only a slash ends the search for the
// @, so that a password may hold a question mark.
func splitURL(conn string) parts {
	var p parts
	p.scheme, conn, _ = strings.Cut(conn, "://")
	if i := strings.IndexAny(conn, "@/"); i >= 0 && conn[i] == '@' {
		p.user, conn = conn[:i], conn[i+1:]
	}
	conn, p.query, _ = strings.Cut(conn, "?")
	p.hosts, p.dbname, _ = strings.Cut(conn, "/")
	return p
}

// parseURL reads a URL. A parameter wins over the part before it.
func parseURL(conn string, values map[string]string) error {
	p := splitURL(conn)
	user, password, _ := strings.Cut(p.user, ":")
	if err := set(values, "user", user); err != nil {
		return err
	}
	if err := set(values, "password", password); err != nil {
		return err
	}
	if err := parseHosts(p.hosts, values); err != nil {
		return err
	}
	if err := set(values, "dbname", p.dbname); err != nil {
		return err
	}
	return parseQuery(p.query, values)
}

// parseHosts reads "host:port,[::1]:port" into libpq's two lists.
func parseHosts(list string, values map[string]string) error {
	if list == "" {
		return nil
	}
	var hosts, ports []string
	for one := range strings.SplitSeq(list, ",") {
		host, port := one, ""
		if strings.HasPrefix(one, "[") {
			end := strings.IndexByte(one, ']')
			if end < 0 {
				return errors.New(`the "[" of an IPv6 address is not closed`)
			}
			host, port = one[1:end], one[end+1:]
			if port != "" && port[0] != ':' {
				return errors.New(`after the "]" of an IPv6 address comes neither ":" nor "/"`)
			}
			port = strings.TrimPrefix(port, ":")
		} else if before, after, ok := strings.Cut(one, ":"); ok {
			host, port = before, after
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	if err := set(values, "host", strings.Join(hosts, ",")); err != nil {
		return err
	}
	if joined := strings.Join(ports, ","); strings.Trim(joined, ",") != "" {
		return set(values, "port", joined)
	}
	return nil
}

// parseQuery reads the parameters of a URL. A later one wins, as in pgconn.
func parseQuery(query string, values map[string]string) error {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		raw, value, found := strings.Cut(pair, "=")
		if !found {
			return errors.New(`a parameter after the "?" has no "="`)
		}
		key, err := parameter(raw)
		if err != nil {
			return err
		}
		if key == "ssl" && value == "true" { // the spelling of JDBC, which libpq takes too
			key, value = "sslmode", "require"
		}
		delete(values, key) // an empty parameter clears the part before it
		if err := set(values, key, value); err != nil {
			return err
		}
	}
	return nil
}

// parameter returns the keyword that the raw name of a parameter stands for.
func parameter(raw string) (string, error) {
	name, err := url.PathUnescape(strings.Trim(raw, " "))
	if err != nil {
		return "", errors.New("the name of a parameter has a broken %-escape")
	}
	if !word(name) {
		return "", errors.New("the name of a parameter is not a word")
	}
	return keyword(name), nil
}

// word reports whether name can be written as a keyword.
func word(name string) bool {
	return name != "" && !strings.ContainsAny(name, ":/ \t\n\r\v\f='\\\x00")
}

// set stores the unescaped value, unless it is empty: an empty part of a URL
// leaves the default in effect.
func set(values map[string]string, key, raw string) error {
	value, err := url.PathUnescape(strings.Trim(raw, " ")) // libpq trims, too
	if err != nil {
		return fmt.Errorf("its %s has a broken %%-escape (a %% itself is written %%25)", key)
	}
	if strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("its %s holds a NUL byte", key)
	}
	if value != "" {
		values[key] = value
	}
	return nil
}

// keyword returns libpq's own spelling of a keyword.
func keyword(name string) string {
	if name == "database" { // pgconn and pgx take it too
		return "dbname"
	}
	return name
}

const spaces = " \t\n\r\v\f"

// token is one keyword=value.
type token struct {
	key, value string
	raw        string // as written, without the blanks around it
}

// parseKeywords reads "host=db password='it”s'" with libpq's quoting.
func parseKeywords(conn string, values map[string]string) error {
	tokens, err := splitKeywords(conn)
	for _, t := range tokens {
		delete(values, t.key)
		if t.value != "" {
			values[t.key] = t.value
		}
	}
	return err
}

// splitKeywords returns the keywords in their order.
func splitKeywords(conn string) ([]token, error) {
	var tokens []token
	for conn = strings.TrimLeft(conn, spaces); conn != ""; conn = strings.TrimLeft(conn, spaces) {
		key, rest, found := strings.Cut(conn, "=")
		key = strings.TrimRight(key, spaces)
		if !found || key == "" || strings.ContainsAny(key, spaces+`'\`) {
			return nil, errors.New(`it is neither a postgres:// URL nor a list of keyword=value`)
		}
		value, after, err := cutValue(strings.TrimLeft(rest, spaces))
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token{keyword(key), value, conn[:len(conn)-len(after)]})
		conn = after
	}
	return tokens, nil
}

// cutValue takes the value at the start of s, quoted or not, and returns what
// follows it.
func cutValue(s string) (value, rest string, err error) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case quoted && c == '\'':
			return b.String(), s[i+1:], nil
		case !quoted && strings.IndexByte(spaces, c) >= 0:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("a quoted value has no end")
	}
	return b.String(), "", nil
}
