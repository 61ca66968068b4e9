package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/dotenv"
)

// ReadEnvFiles returns environ with the variables of the env files at paths added.
// Precedence: environ wins over all files, also with an empty value, and a later
// file wins over an earlier one. environ keeps its order and comes first, what is added
// follows sorted by name; environ itself is not changed.
//
// The syntax is package dotenv's.
//
// An error names file and line and never quotes the file. All files are read
// before it is returned; it is an Errors.
func ReadEnvFiles(paths []string, environ []string) ([]string, error) {
	added := map[string]string{}
	var errs Errors
	for _, path := range paths {
		vars, err := readEnvFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		maps.Copy(added, vars)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		delete(added, name)
	}
	env := slices.Clone(environ)
	for _, name := range slices.Sorted(maps.Keys(added)) {
		env = append(env, name+"="+added[name])
	}
	return env, nil
}

// Lookup returns the value that counts of a variable in an environment: the last one; "" when there
// is none.
func Lookup(env []string, name string) (value string) {
	for _, pair := range env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

func readEnvFile(path string) (map[string]string, *Error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, &Error{File: Shown(path), Key: "app.env_files", Msg: "env file cannot be read: " + reason(err),
			Next: "create it, or take it out of app.env_files"}
	}
	vars, wrong := dotenv.ParseStrict(string(data))
	if wrong != nil {
		return nil, &Error{File: Shown(path), Line: wrong.Line, Col: 1, Key: "app.env_files", Msg: wrong.Msg,
			Next: "write NAME=value, or NAME='value' when it has spaces, quotes or #"}
	}
	return vars, nil
}
