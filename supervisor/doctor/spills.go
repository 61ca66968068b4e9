package doctor

import (
	"regexp"
	"slices"
	"strings"
)

// password is one in the URL of a command; a variable in its place is none.
var password = regexp.MustCompile(`://[^/?#\s:@'"]*:[^/?#\s@$'"]+@`)

// HasPassword reports whether a URL with a password is written in a command.
func HasPassword(command string) bool { return password.MatchString(command) }

// expansion finds $NAME and ${NAME...}.
var expansion = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// assignment is a word that sets a variable, when it stands before the command.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\+?=`)

// builtins of a POSIX shell start no process: what they are given is on no command line.
var builtins = []string{"export", "readonly", "local", "echo", "printf", "test", "[", "read", "set", "eval", ":", "if", "case", "while", "until"}

// Spills returns the secret variables that a shell writes on the command line of a program when it
// runs the text.
func Spills(text string, secret func(variable string) bool) (variables []string) {
	command := "" // the program of the simple command that we are in; "" before it
	for _, word := range words(text) {
		switch {
		case word.ends:
			command = ""
			continue
		case command == "" && assignment.MatchString(word.text):
			continue
		case command == "":
			command = word.text
		}
		if slices.Contains(builtins, command) {
			if slices.Contains([]string{"if", "while", "until"}, command) {
				command = ""
			}
			continue
		}
		for _, found := range expansion.FindAllStringSubmatch(word.text, -1) {
			if name := found[1]; secret(name) && !slices.Contains(variables, name) {
				variables = append(variables, name)
			}
		}
	}
	return variables
}

// word is one of a shell's text, without what is in single quotes: nothing is expanded there.
type word struct {
	text string
	ends bool // it is no word, but the end of a simple command
}

func words(text string) (list []word) {
	var b strings.Builder
	single, double, some := false, false, false
	flush := func() {
		if some {
			list = append(list, word{text: b.String()})
		}
		b.Reset()
		some = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case single:
			single = c != '\''
		case c == '\\' && i+1 < len(text):
			i++
			some = true
		case c == '"':
			double, some = !double, true
		case double:
			b.WriteByte(c)
		case c == '\'':
			single, some = true, true
		case strings.IndexByte(" \t", c) >= 0:
			flush()
		case strings.IndexByte(";&|()\n`", c) >= 0 && !(c == '(' && strings.HasSuffix(b.String(), "$")):
			flush()
			list = append(list, word{ends: true})
		default:
			b.WriteByte(c)
			some = true
		}
	}
	flush()
	return list
}
