package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// ReadEnvFiles returns environ with the variables of the files at paths added.
// Later files win over earlier ones, environ wins over all of them, also with
// an empty value. environ keeps its order and comes first, what is added
// follows sorted by name; environ itself is not changed.
//
// Syntax is joho/godotenv's: KEY=value, optional export, # comments, 'literal'
// and "expanded" values, which may span lines. In "expanded" and bare values
// $NAME and ${NAME} (upper case) stand for a variable set earlier in the same
// file, and for nothing when there is none, also when the process environment
// has it; \$ is a dollar.
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

func readEnvFile(path string) (map[string]string, *Error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, &Error{File: Shown(path), Key: "app.env_files", Msg: "env file cannot be read: " + reason(err),
			Hint: "create it, or take it out of app.env_files"}
	}
	text := strings.TrimPrefix(string(data), "\ufeff") + "\n"
	vars, err := parseEnv(text)
	if err != nil {
		return nil, &Error{File: Shown(path), Line: badEnvLine(text), Col: 1, Key: "app.env_files", Msg: err.Error(),
			Hint: "write NAME=value, or NAME='value' when it has spaces, quotes or #"}
	}
	return vars, nil
}

// parseEnv is godotenv's parser without its error texts, which quote the rest
// of the file. text ends in a newline: without one the parser takes a lone word
// for the value of a variable without a name.
func parseEnv(text string) (map[string]string, error) {
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("contains a NUL character")
	}
	vars, err := godotenv.Unmarshal(text)
	switch {
	case err != nil && unterminated(err):
		return nil, errors.New("a quoted value is not closed")
	case err != nil:
		return nil, errors.New("is not an assignment to a variable")
	}
	for name := range vars {
		if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, badInURL) {
			return nil, errors.New("a variable has no name, or a space in it")
		}
	}
	return vars, nil
}

func unterminated(err error) bool { return strings.HasPrefix(err.Error(), "unterminated") }

// badEnvLine finds the line at which the first statement begins that the parser
// refuses: godotenv does not say. It parses statement by statement; one may
// span lines only while a quote is open.
func badEnvLine(text string) int {
	const longest = 1000 // lines of one value, far beyond any key or certificate: keeps the search short
	lines := strings.SplitAfter(text, "\n")
	for start := 0; start < len(lines); {
		end := start + 1
		for ; end <= min(len(lines), start+longest); end++ {
			if end > start+1 && !strings.ContainsAny(lines[end-1], `"'`) {
				continue // cannot close the quote
			}
			_, err := godotenv.Unmarshal(strings.Join(lines[start:end], ""))
			if err == nil || !unterminated(err) {
				break
			}
		}
		if end > min(len(lines), start+longest) {
			return start + 1
		}
		if _, err := parseEnv(strings.Join(lines[start:end], "")); err != nil {
			return start + 1
		}
		start = end
	}
	return 1
}
