// Package dotenv reads the text of .env files with joho/godotenv, which many apps read theirs with.
//
// Syntax: KEY=value, optional export, # comments, 'literal' and "expanded" values, which may span
// lines. In "expanded" and bare values $NAME and ${NAME} (upper case) stand for a variable set
// earlier in the same text, and for nothing when there is none, also when the process environment
// has it; \$ is a dollar.
//
// An error says at which line the text is wrong and never quotes it, as godotenv's own do: it holds
// secrets. No text makes this package panic, as godotenv has been seen to.
//
// The names that the variables of a database have by default are here too, as both the
// configuration and the guard of the databases need them.
package dotenv

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/joho/godotenv"
)

// Error is why a text is no .env file.
type Error struct {
	Line int // of the statement that is wrong, from 1
	Msg  string
}

// Error says where and what.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Parse returns what an app that hands the text to godotenv gets.
func Parse(text string) (map[string]string, *Error) { return parse(text, readable) }

// ParseStrict returns variables that can be put into an environment: it refuses NUL characters and
// names that are empty or have spaces. It skips the byte order mark that editors on Windows put
// first.
func ParseStrict(text string) (map[string]string, *Error) {
	// Without a newline at the end godotenv takes a lone word for the value of a variable
	// without a name.
	return parse(strings.TrimPrefix(text, "\ufeff")+"\n", settable)
}

// reading parses text and says what is wrong with it; empty if nothing is.
type reading func(text string) (vars map[string]string, wrong string)

func parse(text string, read reading) (map[string]string, *Error) {
	vars, wrong := read(text)
	if wrong != "" {
		return nil, &Error{Line: badLine(text, read), Msg: wrong}
	}
	return vars, nil
}

const notClosed = "a quoted value is not closed"

func readable(text string) (vars map[string]string, wrong string) {
	defer func() {
		if recover() != nil {
			vars, wrong = nil, "cannot be parsed"
		}
	}()
	vars, err := godotenv.Unmarshal(text)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "unterminated"):
		return nil, notClosed
	case err != nil:
		return nil, "is not an assignment to a variable"
	}
	return vars, ""
}

func settable(text string) (vars map[string]string, wrong string) {
	if strings.ContainsRune(text, 0) {
		return nil, "contains a NUL character"
	}
	if vars, wrong = readable(text); wrong != "" {
		return nil, wrong
	}
	for name := range vars {
		if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, blank) {
			return nil, "a variable has no name, or a space in it"
		}
	}
	return vars, ""
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// badLine finds the line at which the first statement begins that is wrong:
// godotenv does not say. It parses statement by statement; one may span lines
// only while a quote is open.
func badLine(text string, read reading) int {
	const longest = 1000 // lines of one value, far beyond any key or certificate: keeps the search short
	lines := strings.SplitAfter(text, "\n")
	for start := 0; start < len(lines); {
		end := start + 1
		for ; end <= min(len(lines), start+longest); end++ {
			if end > start+1 && !strings.ContainsAny(lines[end-1], `"'`) {
				continue // cannot close the quote
			}
			if _, wrong := readable(strings.Join(lines[start:end], "")); wrong != notClosed {
				break
			}
		}
		if end > min(len(lines), start+longest) {
			return start + 1
		}
		if _, wrong := read(strings.Join(lines[start:end], "")); wrong != "" {
			return start + 1
		}
		start = end
	}
	return 1
}
