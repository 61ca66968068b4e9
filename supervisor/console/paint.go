package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// UseColor reports whether to write colours to a terminal with this
// environment: NO_COLOR (no-color.org: set and not empty) and TERM=dumb say no.
func UseColor(terminal bool, getenv func(string) string) bool {
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// palette writes ANSI colours (ECMA-48 SGR), or none. Only the eight that every
// theme defines, because a theme may be light or dark.
type palette struct{ on bool }

func (p palette) paint(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) plain(s string) string  { return s }
func (p palette) bold(s string) string   { return p.paint("1", s) }
func (p palette) faint(s string) string  { return p.paint("2", s) }
func (p palette) red(s string) string    { return p.paint("31", s) }
func (p palette) green(s string) string  { return p.paint("32", s) }
func (p palette) yellow(s string) string { return p.paint("33", s) }

// clean makes text that came from outside safe for a terminal and for one line:
// a control character, or one that changes the direction of text, becomes U+FFFD.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, s)
}
