package logfmt

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Diagnostic is one message of a build. Its fields are those of
// build.Diagnostic, so that one converts to the other.
type Diagnostic struct {
	File    string // as it is shown; "" if the message is about no file
	Line    int    // 0 if unknown
	Col     int    // in bytes from 1; 0 if unknown
	Msg     string // may have more lines
	Package string
}

func (d Diagnostic) position() string {
	switch {
	case d.File == "":
		return ""
	case d.Line == 0:
		return d.File + ": "
	case d.Col == 0:
		return fmt.Sprintf("%s:%d: ", d.File, d.Line)
	}
	return fmt.Sprintf("%s:%d:%d: ", d.File, d.Line, d.Col)
}

// maxDiagnostics is how many messages are shown: as many as the Go compiler
// prints of one package before it says "too many errors".
const maxDiagnostics = 10

// Diagnostics are the messages of a failed build with the lines they are about.
type Diagnostics struct {
	shown  []Diagnostic
	source []string // of shown[i]; "" if it could not be read
	total  int
}

// ReadSource reads the source lines of the first messages. File names are
// relative to dir. It does I/O: call it where the build ran.
func ReadSource(dir string, all []Diagnostic) Diagnostics {
	d := Diagnostics{shown: all[:min(len(all), maxDiagnostics)], total: len(all)}
	for _, one := range d.shown {
		d.source = append(d.source, sourceLine(dir, one))
	}
	return d
}

// maxColumns bounds a source line: a terminal shows no more, and generated code
// has lines of megabytes.
const maxColumns = 160

func sourceLine(dir string, d Diagnostic) string {
	if d.File == "" || d.Line <= 0 {
		return ""
	}
	name := d.File
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	// Only a regular file: opening a pipe would wait for ever.
	if fi, err := os.Stat(name); err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if n == d.Line {
			return lines.Text()
		}
	}
	return ""
}

// strings are the messages as a compiler prints them.
func (d Diagnostics) strings() []string {
	all := make([]string, 0, len(d.shown)+1)
	for _, one := range d.shown {
		all = append(all, one.position()+one.Msg)
	}
	if more := d.total - len(d.shown); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return all
}

// MarshalJSON makes an array of strings.
func (d Diagnostics) MarshalJSON() ([]byte, error) { return json.Marshal(d.strings()) }

// String is the form of the text log.
func (d Diagnostics) String() string { return strings.Join(d.strings(), "; ") }

// block is the form for people: messages, each with its source line.
func (d Diagnostics) block(p palette) []string {
	var out []string
	for i, one := range d.shown {
		msg := strings.Split(one.Msg, "\n")
		out = append(out, p.bold(clean(one.position()))+p.red(clean(msg[0])))
		for _, more := range msg[1:] {
			out = append(out, "  "+clean(expand(more)))
		}
		out = append(out, excerpt(one, d.source[i], p)...)
	}
	if more := d.total - len(d.shown); more > 0 {
		out = append(out, p.faint(fmt.Sprintf("and %d more", more)))
	}
	return out
}

// excerpt is the source line with its number, and a mark under the column.
func excerpt(d Diagnostic, source string, p palette) []string {
	if strings.TrimSpace(source) == "" {
		return nil
	}
	text := []rune(clean(expand(source)))
	number := fmt.Sprintf("%6d | ", d.Line)
	if len(text) > maxColumns {
		return []string{p.faint(number) + string(text[:maxColumns]) + p.faint(" ...")}
	}
	out := []string{p.faint(number) + string(text)}
	if d.Col > 0 && d.Col <= len(source)+1 {
		before := []rune(clean(expand(source[:d.Col-1])))
		out = append(out, p.faint(strings.Repeat(" ", len(number)-2)+"| ")+strings.Repeat(" ", len(before))+p.red("^"))
	}
	return out
}

// expand writes tabs as four spaces: where a tab ends depends on what precedes
// it, and the mark must stand under its column.
func expand(s string) string { return strings.ReplaceAll(s, "\t", "    ") }
