package dsn

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/dotenv"
)

// main is the file that a URL may come from without being configured.
const main = ".env"

// maxFile bounds what is read of a .env file: a real one has a few kilobytes.
const maxFile = 1 << 20

// Files are the .env files of one directory, by name, as they were read.
type Files map[string][]byte

// ReadDir reads the .env files of dir: those whose names IsDotEnv takes. A file
// that cannot be read is passed over: the app cannot read it either.
func ReadDir(dir string) Files {
	files := Files{}
	names, _ := filepath.Glob(filepath.Join(escapeGlob(dir), main+"*"))
	for _, name := range names {
		if base := filepath.Base(name); IsDotEnv(base) {
			if text, err := readFile(name); err == nil {
				files[base] = text
			}
		}
	}
	return files
}

// escapeGlob takes the special meaning from the characters of a directory name.
func escapeGlob(dir string) string {
	if os.PathSeparator == '\\' {
		return dir // no escapes there
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// readFile reads a regular file. A virtual environment of Python is a directory
// named .env, and a FIFO would never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// IsDotEnv reports whether a file of this name may say what the app's
// environment is. Examples, templates and an editor's leavings do not.
func IsDotEnv(name string) bool {
	if !strings.HasPrefix(name, main) || strings.HasSuffix(name, "~") {
		return false
	}
	for part := range strings.SplitSeq(strings.ToLower(name[1:]), ".") {
		switch part {
		case "example", "examples", "sample", "template", "tmpl", "tpl", "dist", "swp", "swo", "vault", "keys":
			return false
		}
	}
	return true
}

// ConflictError says that the .env files of a directory do not agree on a
// variable, so that only the app's own loader knows which one counts.
type ConflictError struct {
	Name  string   // the variable
	Files []string // those that differ, .env first; or the only one that has it
	Only  bool     // no .env has it: another file does
}

// Fix is the line of devguard.toml that decides.
func (e *ConflictError) Fix() string {
	return "write " + e.line() + " under [app] in devguard.toml"
}

func (e *ConflictError) line() string {
	quoted := make([]string, len(e.Files))
	for i, f := range e.Files {
		quoted[i] = fmt.Sprintf("%q", f)
	}
	return "env_files = [" + strings.Join(quoted, ", ") + "]"
}

// Error names the files and the line of devguard.toml that decides.
func (e *ConflictError) Error() string {
	line := e.line()
	if e.Only {
		return fmt.Sprintf("%s is set in %s, which devguard does not read by itself; to use it write %s under [app] in devguard.toml",
			e.Name, strings.Join(e.Files, " and "), line)
	}
	return fmt.Sprintf("%s differs between %s; say which count, the last one winning, with %s under [app] in devguard.toml",
		e.Name, strings.Join(e.Files, " and "), line)
}

// lookup returns the value of a variable that only .env files set, "" when none
// does, and a *ConflictError when they do not agree.
func (f Files) lookup(name string) (string, error) {
	value, inMain := define(f[main], name)
	var differ []string
	for _, file := range slices.Sorted(maps.Keys(f)) {
		if file == main {
			continue
		}
		if other, ok := define(f[file], name); ok && (!inMain || other != value) {
			differ = append(differ, file)
		}
	}
	switch {
	case value == unreadable:
		_, wrong := dotenv.Parse(string(f[main]))
		return "", fmt.Errorf("%s cannot be read as NAME=value lines (%w), so %s is not known; devguard uses what the environment or env_files say",
			main, wrong, name)
	case len(differ) == 0:
		return value, nil
	case inMain:
		return "", &ConflictError{Name: name, Files: append([]string{main}, differ...)}
	}
	return "", &ConflictError{Name: name, Files: differ, Only: true}
}

// unreadable stands for the value in a file that mentions a variable and cannot
// be parsed. No environment can hold it.
const unreadable = "\x00"

// define returns what the text of a .env file sets name to. A text that cannot
// be read as one (.envrc is a script) defines a name that it mentions, with a
// value that equals no other.
func define(text []byte, name string) (string, bool) {
	if !bytes.Contains(text, []byte(name)) {
		return "", false
	}
	vars, wrong := dotenv.Parse(string(text))
	if wrong != nil {
		return unreadable, true
	}
	value, ok := vars[name]
	return value, ok
}
