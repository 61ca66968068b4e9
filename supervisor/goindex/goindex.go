// Package goindex knows the go command's index of packages, which is wrong after some moves of
// directories, and how to ask without it.
//
// The go command keeps of each directory which files and imports are in it, by the names, sizes and
// times of its files (cmd/go/internal/modindex, 1.19 to 1.26). It reads these first and the files some
// microseconds later: a directory that is moved away in between and back is kept as an empty one, and
// `go build` says so until one of its files has another time. The same with a file that is replaced by
// another one of the same size and time. devguard builds while directories are moved, and so makes that likelier.
package goindex

import (
	"os"
	"regexp"
	"strings"
)

// missing is what the go command says of a package when it finds none of its files.
var missing = regexp.MustCompile(`(?m)^.*(?:no required module provides package |cannot find module providing package .*: import lookup disabled by |package \S+ is not in std|` +
	`build constraints exclude all Go files in |no (?:non-test )?Go files in ).*$`)

// Missing returns the first line of what the go command says by which a package is not there, "" if there is
// none. Mostly it is right; it may come of a wrong index.
func Missing(output string) string { return strings.TrimSpace(missing.FindString(output)) }

// Without returns an environment in which the go command reads the files themselves, which takes 10 to
// 30 ms longer for 200 packages. nil is this process's own; env is left as it is.
func Without(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	debug := "goindex=0"
	for _, setting := range env { // of one name the last counts
		if set, is := strings.CutPrefix(setting, "GODEBUG="); is && set != "" {
			debug = set + ",goindex=0"
		}
	}
	return append(env[:len(env):len(env)], "GODEBUG="+debug)
}
