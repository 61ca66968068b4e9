package translate

import (
	"regexp"
	"slices"
	"strings"
)

// command is one simple command of a shell: variables, words.
type command struct {
	text  string   // as it was written
	env   []pair   // variables set for it
	words []string // without their quotes

	// expands is the first thing in the words that a shell would expand: $HOME, $(date), *. Empty when
	// the words are what the program gets.
	expands string

	// more is the first thing beside the words that only a shell does: a pipe, a redirection, ||, &, a
	// subshell, a quote that is not closed.
	more string
}

// pair is one variable.
type pair struct{ name, value string }

// name is the program, without directories and .exe.
func (c command) name() string {
	if len(c.words) == 0 {
		return ""
	}
	return baseName(c.words[0])
}

// is reports whether the command begins with these words.
func (c command) is(words ...string) bool {
	return len(c.words) >= len(words) && c.name() == words[0] && slices.Equal(c.words[1:len(words)], words[1:])
}

// baseName is the name of a program, on Windows too.
func baseName(file string) string {
	file = strings.TrimSuffix(slashes(file), ".exe")
	return file[strings.LastIndexByte(file, '/')+1:]
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// windowsPath finds a backslash between names: a separator on Windows, where cmd.exe and PowerShell
// do not take it for an escape.
var windowsPath = regexp.MustCompile(`(^|[\s"'=])[.A-Za-z0-9_:]*\\[.A-Za-z0-9_]`)

// parseAir is parseShell for a setting of air, which may be for Windows.
func parseAir(text string) []command {
	p := shellParser{text: text, windows: windowsPath.MatchString(text)}
	p.parse()
	return p.commands
}

// parseShell splits a line for a shell at &&, ; and line ends. What is more than simple commands
// (pipes, redirections, ||, &, subshells) stays in one command, whose more says so.
func parseShell(text string) []command {
	p := shellParser{text: text}
	p.parse()
	return p.commands
}

type shellParser struct {
	text     string
	windows  bool
	at       int
	start    int // of the command
	commands []command

	current command
	word    strings.Builder
	inWord  bool
}

func (p *shellParser) parse() {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "&&"):
			p.end(2)
		case c == ';' || c == '\n':
			p.end(1)
		case c == ' ' || c == '\t' || c == '\r':
			p.endWord()
			p.at++
		case strings.HasPrefix(rest, "\\\n"):
			p.at += 2
		case c == '#' && !p.inWord:
			p.at += len(rest)
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				p.at += end - len(rest)
			}
		case strings.IndexByte("|&<>()", c) >= 0:
			p.more(string(c))
			p.endWord()
			p.at++
		default:
			p.char(c)
		}
	}
	p.end(0)
}

// char reads one character of a word, or a quoted part of it.
func (p *shellParser) char(c byte) {
	p.inWord = true
	switch {
	case c == '\'':
		p.at++
		end := strings.IndexByte(p.text[p.at:], '\'')
		if end < 0 {
			p.more("a quote that is not closed")
			end = len(p.text) - p.at
		}
		p.word.WriteString(p.text[p.at : p.at+end])
		p.at = min(p.at+end+1, len(p.text))
	case c == '"':
		p.doubleQuoted()
	case c == '\\' && !p.windows:
		p.at++
		if p.at < len(p.text) {
			p.word.WriteByte(p.text[p.at])
			p.at++
		}
	case c == '$' || c == '`':
		p.expansion()
	case c == '*' || c == '?' || c == '[' || c == '~' && p.word.Len() == 0:
		p.expands(string(c))
		p.plain(c)
	default:
		p.plain(c)
	}
}

func (p *shellParser) plain(c byte) {
	p.word.WriteByte(c)
	p.at++
}

func (p *shellParser) doubleQuoted() {
	for p.at++; p.at < len(p.text); {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return
		case c == '\\' && p.at+1 < len(p.text) && strings.IndexByte("\"\\$`", p.text[p.at+1]) >= 0:
			p.word.WriteByte(p.text[p.at+1])
			p.at += 2
		case c == '$' || c == '`':
			p.expansion()
		default:
			p.plain(c)
		}
	}
	p.more("a quote that is not closed")
}

// expansion copies $NAME, ${NAME}, $(command) or `command` into the word as it is.
func (p *shellParser) expansion() {
	rest := p.text[p.at:]
	end := 1
	switch {
	case strings.HasPrefix(rest, "$("):
		end = closing(rest, 1, '(', ')')
	case strings.HasPrefix(rest, "${"):
		end = closing(rest, 1, '{', '}')
	case rest[0] == '`':
		if i := strings.IndexByte(rest[1:], '`'); i >= 0 {
			end = i + 2
		}
	default:
		for end < len(rest) && (rest[end] == '_' || rest[end] >= '0' && rest[end] <= '9' || rest[end]|0x20 >= 'a' && rest[end]|0x20 <= 'z') {
			end++
		}
		if end == 1 { // a dollar before nothing that is a name
			p.plain('$')
			return
		}
	}
	p.expands(rest[:end])
	p.word.WriteString(rest[:end])
	p.at += end
}

// closing is behind the bracket that closes the one at; the end of s when none does.
func closing(s string, at int, open, shut byte) int {
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

func (p *shellParser) expands(what string) {
	if p.current.expands == "" {
		p.current.expands = what
	}
}

func (p *shellParser) more(what string) {
	if p.current.more == "" {
		p.current.more = what
	}
}

func (p *shellParser) endWord() {
	if !p.inWord {
		return
	}
	word := p.word.String()
	if p.windows {
		word = slashes(word)
	}
	if m := assignment.FindStringSubmatch(word); m != nil && len(p.current.words) == 0 {
		p.current.env = append(p.current.env, pair{m[1], word[len(m[0]):]})
	} else {
		p.current.words = append(p.current.words, word)
	}
	p.word.Reset()
	p.inWord = false
}

// end ends a command; skip is the length of what separates it from the next.
func (p *shellParser) end(skip int) {
	p.endWord()
	p.current.text = strings.TrimSpace(p.text[p.start:p.at])
	if len(p.current.words)+len(p.current.env) > 0 || p.current.more != "" {
		p.commands = append(p.commands, p.current)
	}
	p.current = command{}
	p.at += skip
	p.start = p.at
}

// inner are the commands of `sh -c '...'`; those of anything else are itself.
func inner(c command) []command {
	shells := []string{"sh", "bash", "zsh", "dash"}
	if len(c.words) == 3 && slices.Contains(shells, c.name()) && strings.HasPrefix(c.words[1], "-") && strings.HasSuffix(c.words[1], "c") {
		commands := parseShell(c.words[2])
		if len(commands) > 0 {
			commands[0].env = append(slices.Clip(c.env), commands[0].env...)
			return commands
		}
	}
	return []command{c}
}

// ShellWord quotes s for sh unless it needs none.
func ShellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellLine is a line for sh that runs the words.
func shellLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = ShellWord(w)
	}
	return strings.Join(out, " ")
}
