package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/osproc"
)

const (
	nameRule     = "use up to 64 letters, digits, '.', '_' and '-', not beginning with '.' or '-'"
	variableRule = "write the variable's name, like DATABASE_URL, not its value"
)

// badName says what is wrong with the name of a state folder; empty is by default. "embedded" is
// taken: the embedded database lies beside the folders, on file systems that
// may not tell upper from lower case.
func badName(name string) string {
	switch {
	case name == "":
		return ""
	case len(name) > 64:
		return "is too long"
	case strings.Trim(name, nameLetters) != "", name[0] == '.', name[0] == '-':
		return fmt.Sprintf("%q cannot be the name of a folder everywhere", name)
	case reservedName(name):
		return fmt.Sprintf("%q is taken by the embedded database", name)
	}
	return ""
}

// nameHint says what to do about such a name.
func nameHint(name string) string {
	if reservedName(name) {
		return "choose another"
	}
	return nameRule
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

func reservedName(name string) bool {
	return strings.EqualFold(name, "embedded") || strings.EqualFold(name, "embedded.lock")
}

// badHookName reports names that would garble a log line or a variable.
func badHookName(name string) bool {
	return name == "" || len(name) > 64 || strings.TrimSpace(name) != name ||
		!utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl)
}

// badPackage checks what can be seen without the file system.
func badPackage(pkg string) (msg, hint string) {
	switch {
	case strings.HasPrefix(pkg, "-"):
		return fmt.Sprintf("%q is a flag, not a package", pkg), "write a package, like ./cmd/app"
	case strings.Contains(pkg, "..."):
		return fmt.Sprintf("%q is a pattern of packages", pkg), "name the one to run, like ./cmd/app"
	case strings.TrimSpace(pkg) != pkg:
		return "has spaces at its ends", "write a package, like ./cmd/app"
	}
	return "", ""
}

// cleanGlob returns pattern as it matches slash-separated paths relative to
// the configuration, or what is wrong with it.
func cleanGlob(pattern string) (clean, msg, hint string) {
	clean = pattern
	for strings.HasPrefix(clean, "./") {
		clean = strings.TrimLeft(clean[2:], "/")
	}
	if strings.HasSuffix(clean, "/") {
		clean = strings.TrimRight(clean, "/") + "/**"
	}
	switch {
	case strings.TrimSpace(pattern) == "", clean == "":
		return pattern, "is not a glob", `write a path or a glob, like "templates/**"`
	case strings.HasPrefix(pattern, "!"):
		return pattern, "begins with '!', which does not negate here", "use watch.exclude"
	case path.IsAbs(clean):
		return pattern, "is an absolute path", "write it relative to the directory of " + File
	case !doublestar.ValidatePattern(clean):
		return pattern, "is not a valid glob", "check its brackets and braces; a backslash makes the next character ordinary"
	}
	return clean, "", ""
}

// badHTTP checks ready.http. Messages do not repeat it: it may hold a password.
func badHTTP(s string) (msg, hint string) {
	hint = `write a path, like "/healthz", or a URL with http:// or https://`
	if s == "" || strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, badInURL) {
		return "", hint
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, strings.ContainsFunc(s, badInURL):
		return "is not a valid URL", hint
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "is neither a path nor a full URL", hint
	case u.Port() != "" && !isPort(u.Port()):
		return "has a port that does not exist", "ports are 1 to 65535"
	}
	return "", hint
}

func badInURL(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// splitAddress is net.SplitHostPort for addresses whose host may stand in a URL.
func splitAddress(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err != nil || strings.ContainsFunc(host, badInURL) || strings.ContainsAny(host, "/@") {
		return "", "", errors.New("is not an address")
	}
	return host, port, nil
}

// dialAddress completes an address to dial: a port alone, with or without a
// colon, means loopback.
func dialAddress(s string) (string, error) {
	if isPort(s) {
		s = ":" + s
	}
	host, port, err := splitAddress(s)
	if err != nil {
		return "", err
	}
	if !isPort(port) {
		return "", errors.New("does not end in a port, 1 to 65535") // not quoted: "user:password@host" comes here too
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// isControl reports whether s is an address to be asked at: as with isLoopback, but port 0 means any
// that is free.
func isControl(s string) bool {
	at, err := netip.ParseAddrPort(s)
	return err == nil && at.Addr().IsLoopback()
}

const debugHint = `write an address, like "127.0.0.1:2345"`

const controlHint = `write one like "127.0.0.1:0", which takes a port that is free`

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isVariable reports whether s can name an environment variable that a shell
// can set too.
func isVariable(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// signal reads the name of a signal, with or without SIG.
func (t *table) signal(key string, into *syscall.Signal) {
	var s string
	if t.text(key, &s); !t.has(key) {
		return
	}
	if _, isText := t.values[key].(string); !isText {
		return // text has said so
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if number, ok := osproc.StopSignals[name]; ok {
		*into = number
		return
	}
	names := slices.Sorted(maps.Keys(osproc.StopSignals))
	e := t.fail(key, "write one of "+strings.Join(names, ", "), "%q is not a signal that stops a process here", s)
	e.Nearest = Nearest(name, names)
}
