package translate

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
)

// EnvFile is where the variables go that another tool sets for the app: devguard.toml has files of
// variables, and none of its own.
const EnvFile = "devguard.env"

// Facts are what Translate has to know of the project and the machine. Functions may be nil.
type Facts struct {
	GOOS string // of the machine: air has settings for one system

	// Package returns the package that Go files stand for, relative to devguard.toml; not ok when
	// they are only a part of one.
	Package func(files []string) (pkg string, ok bool)

	// Exists reports whether a file is there, relative to devguard.toml.
	Exists func(file string) bool
}

// Result is a translation.
type Result struct {
	Text  string // of devguard.toml
	Env   string // of EnvFile, which Text names then; "" when there are no variables
	Notes []Note // on what is not in Text, in the order of the source
}

// Translate translates the configuration of another tool. name is the file's, as the user would
// write it, or "-"; it says which tool's it is, and the contents do where it does not. Paths are
// taken to be relative to where devguard.toml is written. The error is a config.Errors.
func Translate(name string, data []byte, facts Facts) (*Result, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d := &draft{from: shown(name), facts: facts}
	var err error
	switch kindOf(name, string(data)) {
	case air:
		err = d.air(data)
	case reflex:
		err = d.reflex(string(data))
	case wgo:
		err = d.wgo(string(data))
	case nodemon:
		err = d.nodemonFile(data)
	case nodemonLine:
		err = d.nodemonLine(string(data))
	default:
		err = d.fail(0, "is no configuration that can be translated",
			"give .air.toml, reflex.conf, nodemon.json or a package.json with nodemonConfig, or with `--from -` a command line of reflex, wgo or nodemon")
	}
	if err != nil {
		return nil, err
	}
	d.settle()
	slices.SortStableFunc(d.notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return &Result{Text: d.text(), Env: d.envText(), Notes: d.notes}, nil
}

// kind is whose configuration a file is.
type kind int

const (
	unknown kind = iota
	air
	reflex
	wgo
	nodemon
	nodemonLine
)

// shown names the source in comments and errors.
func shown(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

func kindOf(name, text string) kind {
	base := path.Base(slashes(name))
	switch {
	case strings.HasSuffix(base, ".toml"), base == ".air.conf", base == "air.conf":
		return air
	case strings.HasSuffix(base, ".json"):
		return nodemon
	case strings.HasSuffix(base, ".conf"):
		return reflex
	}
	line := firstLine(text)
	switch tool := toolOf(line); {
	case tool != unknown:
		return tool
	case strings.HasPrefix(line, "{"):
		return nodemon
	case strings.HasPrefix(line, "-"):
		return reflex
	case strings.HasPrefix(line, "["), strings.Contains(line, "="):
		return air
	}
	return unknown
}

// firstLine is the first line that is neither empty nor a comment.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

// toolOf tells a command line by its program; variables, npx and "go tool" may stand before it.
func toolOf(line string) kind {
	for i, word := range strings.Fields(line) {
		switch name, _, _ := strings.Cut(path.Base(word), "@"); name {
		case "reflex":
			return reflex
		case "wgo":
			return wgo
		case "nodemon":
			return nodemonLine
		case "npx", "go", "tool", "run", "exec", "yarn", "pnpm", "bunx":
		default:
			if i > 4 || !assignment.MatchString(word) {
				return unknown
			}
		}
	}
	return unknown
}

// fail is a mistake of the source at a line of it, from 1; 0 for the file as a whole.
func (d *draft) fail(line int, msg, hint string) config.Errors {
	e := &config.Error{File: d.from, Line: line, Msg: msg, Next: hint}
	if line > 0 {
		e.Col = 1
	}
	return config.Errors{e}
}
