package dsn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrNone says that neither the environment nor .env names a database.
var ErrNone = errors.New("no database URL found")

// ErrNotListed says that there are variables like DB_HOST, and what the app is built from
// is not known yet, by which they are understood.
var ErrNotListed = errors.New("what the app is built from is not known yet")

// Names are the variables that a database is configured by.
type Names struct {
	URLs   []string // the app's URL, first come first
	Direct []string // the same databases without their poolers

	Drivers Drivers // of the app: what DB_HOST and its like mean
}

// Role says what a found connection is to the app.
type Role uint8

// The roles of a connection.
const (
	App    Role = iota + 1 // named in url_env, the PGHOST set, or without a URL a set like that of DB_HOST
	Direct                 // direct_url_env
	Other                  // another variable of Postgres: ours to use only when the app does
)

// Found is one connection that an environment describes.
type Found struct {
	Name     string // the variable; "PGHOST" stands for the whole set, as the first name of Set does
	File     string // where it is set: "" for the environment, else ".env"
	Value    string // as written: a secret
	Role     Role
	Settings Settings // with the holes filled from the environment

	Set map[string]string // the keyword of each variable, when each has a part of it, like DB_HOST
}

// Format prints a Found without its secrets.
func (f Found) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%s (%s): %v", f.Name, f.File, f.Settings)
}

// Env turns "NAME=value" pairs into a map; a later pair wins, as in os/exec.
func Env(pairs []string) map[string]string {
	env := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		// Windows has names that begin with "=", as in "=C:=C:\dir".
		if i := strings.Index(pair, "="); i > 0 {
			env[pair[:i]] = pair[i+1:]
		}
	}
	return env
}

// Find returns the connections that env and the .env files describe, those of
// names first, then the PGHOST set, then sets like that of DB_HOST, then the other URLs
// and lists of keywords in the order of their names. Settings that cannot be read are passed over, and are in the error
// with those that .env files contradict each other on (*ConflictError). With
// nothing found and nothing wrong it is ErrNone, or ErrNotListed.
func Find(env map[string]string, files Files, names Names) ([]Found, error) {
	var found []Found
	var failed []error
	add := func(name string, role Role) {
		value, file, err := lookup(env, files, name)
		if err == nil && value != "" && !namesHost(name, value) {
			found, err = appendFound(found, Found{Name: name, File: file, Value: value, Role: role}, env)
		}
		failed = append(failed, err)
	}
	for _, name := range names.URLs {
		add(name, App)
	}
	for _, name := range names.Direct {
		add(name, Direct)
	}
	if hasSet(env, len(found) > 0) {
		found = append(found, Found{Name: "PGHOST", Role: App, Settings: Settings{}.With(env)})
	}
	found, err := appendFamilies(found, env, files, names)
	found = appendOthers(found, env, names)
	err = errors.Join(append(failed, err)...)
	if len(found) == 0 && err == nil {
		err = ErrNone
	}
	return found, err
}

// lookup returns the value of a variable and the file it is in: the process
// environment and env_files win, also with an empty value, as they do for every
// loader of .env.
func lookup(env map[string]string, files Files, name string) (value, file string, err error) {
	if value, ok := env[name]; ok {
		return value, "", nil
	}
	value, err = files.lookup(name)
	return value, main, err
}

// appendFound adds f with its settings read.
func appendFound(found []Found, f Found, env map[string]string) ([]Found, error) {
	s, err := Parse(f.Value)
	if err != nil {
		where := "the environment"
		if f.File != "" {
			where = f.File
		}
		return found, fmt.Errorf("%s of %s is not used: %w", f.Name, where, err)
	}
	f.Settings = s.With(env)
	return append(found, f), nil
}

// appendOthers adds the variables that nobody named and that hold a URL or a list of
// keywords. One that cannot be read is none.
func appendOthers(found []Found, env map[string]string, names Names) []Found {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !IsURL(env[name]) && !isKeywords(env[name]) || slices.Contains(names.Direct, name) || slices.Contains(names.URLs, name) {
			continue
		}
		if more, err := appendFound(found, Found{Name: name, Value: env[name], Role: Other}, env); err == nil {
			found = more
		}
	}
	return found
}

// hasSet reports whether the PGHOST family describes a connection. A database
// name alone does so only when there is no URL: people export PGDATABASE for
// psql.
func hasSet(env map[string]string, haveURL bool) bool {
	return env["PGHOST"] != "" || env["PGHOSTADDR"] != "" || env["PGSERVICE"] != "" ||
		(env["PGDATABASE"] != "" && !haveURL)
}

// IsVariable reports whether name is of the PGHOST family: one that says where
// or how to connect. PGAPPNAME and PGOPTIONS are not, they say what the session
// is like.
func IsVariable(name string) bool {
	if name == "PGOPTIONS" {
		return false
	}
	_, ok := variables[name]
	return ok || strings.HasPrefix(name, "PGSSL") || strings.HasPrefix(name, "PGGSS")
}
