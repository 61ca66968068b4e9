package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Note is a setting of the source that devguard.toml has nothing for.
type Note struct {
	Line int    // in the source, from 1; 0 when it has none
	Key  string // as the source names it: "build.delay", "-t"
	Kind NoteKind
	Why  string // one sentence, without a full stop
}

// NoteKind says what is to be thought of a setting that is not translated.
type NoteKind int

// The kinds of notes.
const (
	NotNeeded    NoteKind = iota // devguard does it by itself, or nothing has to be done
	NotSupported                 // something that the source did is not done
	Unknown                      // no setting of that tool
)

func (d *draft) note(line int, key string, kind NoteKind, why string) {
	d.notes = append(d.notes, Note{Line: line, Key: redacted(key), Kind: kind, Why: redacted(why)})
}

// password finds the password of a URL, up to the last @ of its authority.
var password = regexp.MustCompile(`(://[^/?#\s:@]*:)[^/?#\s]*@`)

// Redact is s without the passwords of the URLs in it.
func Redact(s string) string { return password.ReplaceAllString(s, "${1}xxxxx@") }

// redacted is text for a note: what is said of a command that is left out repeats no password.
func redacted(s string) string { return Redact(OneLine(s)) }

// needless and unsupported note a setting.
func (d *draft) needless(line int, key, why string)    { d.note(line, key, NotNeeded, why) }
func (d *draft) unsupported(line int, key, why string) { d.note(line, key, NotSupported, why) }

// OneLine makes text fit into a comment of TOML, or a line: characters that would end it are blanks,
// and blanks that follow each other are one.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// Left are the settings that the other tool obeyed and devguard does not, and those that are none of
// that tool, in one line for each reason.
func (r *Result) Left() []string {
	return append(noteLines(r.Notes, NotSupported), noteLines(r.Notes, Unknown)...)
}

// Omitted is how many settings of the source are in Text as comments alone.
func (r *Result) Omitted() int {
	type setting struct {
		line int
		key  string
	}
	settings := map[setting]bool{}
	for _, n := range r.Notes {
		settings[setting{n.Line, n.Key}] = true
	}
	return len(settings)
}

// noteLines are the notes of one kind, those with the same reason in one.
func noteLines(notes []Note, kind NoteKind) []string {
	var reasons []string
	of := map[string][]string{}
	for _, n := range notes {
		if n.Kind != kind {
			continue
		}
		if !slices.Contains(reasons, n.Why) {
			reasons = append(reasons, n.Why)
		}
		name := n.Key
		if n.Line > 0 {
			name = fmt.Sprintf("%s (%d)", n.Key, n.Line)
		}
		if !slices.Contains(of[n.Why], name) {
			of[n.Why] = append(of[n.Why], name)
		}
	}
	var lines []string
	for _, why := range reasons {
		lines = append(lines, strings.Join(of[why], ", ")+": "+why)
	}
	return lines
}

// comment wraps a note to the width of our files, further lines indented.
func comment(text string) string {
	const width = 110
	var b strings.Builder
	line := "#   "
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width && strings.TrimLeft(line, "# ") != "" {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = "#     "
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
