package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/supervisor/logline"
)

// logger writes the lines of the Guard, and those that would only say the same again
// once.
type logger struct {
	*slog.Logger

	mu        sync.Mutex
	databases map[string]logline.Upstream // the last `database` line about each subject
	written   map[string]bool             // keys of the lines that are written once
}

func newLogger(l *slog.Logger) *logger {
	if l == nil {
		l = slog.Default()
	}
	return &logger{Logger: l, databases: map[string]logline.Upstream{}, written: map[string]bool{}}
}

// database writes the `database` line about a subject, unless the last one about it
// said the same.
func (l *logger) database(subject string, line logline.Upstream, warn bool) {
	if l.news(subject, line) {
		logline.Database(line, warn).To(l.Logger)
	}
}

func (l *logger) news(subject string, line logline.Upstream) bool {
	line.Env = "" // a variable more is no news
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.databases[subject] == line {
		return false
	}
	l.databases[subject] = line
	return true
}

// first reports whether this is the first line with the key.
func (l *logger) first(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written[key] {
		return false
	}
	l.written[key] = true
	return true
}

// off writes the `database` line about a variable that is not used.
func (l *logger) off(variable, reason string) {
	l.database(variable, logline.Upstream{Mode: string(modeOff), Reason: reason, Env: variable}, false)
}

// problems writes a `database` line for each thing that is wrong with the
// environment.
func (l *logger) problems(err error) {
	switch all, joined := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case err == dsn.ErrNotListed: // this is asked again
	case errors.Is(err, dsn.ErrNone):
		l.off("", err.Error())
	case joined:
		for _, one := range all.Unwrap() {
			l.problems(one)
		}
	default:
		l.off(problemSubject(err), err.Error())
	}
}

// problemSubject returns the variable that a message of dsn begins with: a
// problem that changes is said again, one that stays is not.
func problemSubject(err error) string {
	name, _, _ := strings.Cut(err.Error(), " ")
	return name
}

// stranger reports a client of a fixed address that is not the app's, once for
// each application_name: it is served, and no restart ends it.
func (l *logger) stranger(database string, c *login.Client) {
	name := c.Params["application_name"]
	if l.first("stranger " + database + " " + name) {
		logline.Stranger(int(c.Server.PID), c.RemoteAddr().String(), database, name).To(l.Logger)
	}
}

// bypass reports a session with the app's label that is not provably the app's,
// once.
func (l *logger) bypass(database string, s activity.Session) {
	if !l.first(fmt.Sprintf("%s %d %d", database, s.PID, s.BackendStart)) {
		return
	}
	remote := "a Unix socket"
	if !s.Unix() {
		remote = s.Client.String()
	}
	logline.Bypass(int(s.PID), remote, database).To(l.Logger)
}

// notCarried says what a transaction pooler does not carry, the first time.
func (l *logger) notCarried(database, feature string) {
	if l.first("uncarried " + database + " " + feature) {
		logline.NotCarried(feature, database).To(l.Logger)
	}
}
