package logline

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

// Position returns "file:line:column: " as a compiler prints it, as far as known.
func (d Diagnostic) Position() string {
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

// MaxDiagnostics is how many messages are shown: as many as the Go compiler
// prints of one package before it says "too many errors".
const MaxDiagnostics = 10

// Diagnostics are the messages of a failed build with the lines they are about.
type Diagnostics struct {
	Shown  []Diagnostic // at most MaxDiagnostics
	Source []string     // of Shown[i]; "" if it could not be read
	Around []Excerpt    // of Shown[i], the lines around it too; may be shorter
	Total  int          // also those not shown
}

// Excerpt is a few lines of a file.
type Excerpt struct {
	First int // the number of the first line; 0 if nothing could be read
	Lines []string
}

const (
	// around is how many lines an Excerpt has before and after the one that it is about: enough to
	// recognise the place, and not a second editor.
	around = 3
	// maxLine bounds a line of an Excerpt, in bytes: generated code may be one long line.
	maxLine = 400
)

// ReadSource reads the source lines of the first messages. File names are
// relative to dir. It does I/O: call it where the build ran.
func ReadSource(dir string, all []Diagnostic) Diagnostics {
	d := Diagnostics{Shown: all[:min(len(all), MaxDiagnostics)], Total: len(all)}
	for _, one := range d.Shown {
		line, excerpt := readAround(dir, one)
		d.Source, d.Around = append(d.Source, line), append(d.Around, excerpt)
	}
	return d
}

// readAround returns the line that a message is about, and those around it.
func readAround(dir string, d Diagnostic) (line string, e Excerpt) {
	if d.File == "" || d.Line <= 0 {
		return "", Excerpt{}
	}
	name := d.File
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	// Only a regular file: opening a pipe would wait for ever.
	if fi, err := os.Stat(name); err != nil || !fi.Mode().IsRegular() {
		return "", Excerpt{}
	}
	f, err := os.Open(name)
	if err != nil {
		return "", Excerpt{}
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	e.First = max(d.Line-around, 1)
	for n := 1; n <= d.Line+around && lines.Scan(); n++ {
		if n == d.Line {
			line = lines.Text()
		}
		if n >= e.First {
			e.Lines = append(e.Lines, strings.ToValidUTF8(lines.Text()[:min(len(lines.Text()), maxLine)], ""))
		}
	}
	if e.First+len(e.Lines) <= d.Line {
		return "", Excerpt{} // the file has not so many lines any more
	}
	return line, e
}

// Excerpt returns the lines around Shown[i].
func (d Diagnostics) Excerpt(i int) Excerpt {
	if i < len(d.Around) {
		return d.Around[i]
	}
	return Excerpt{}
}

// strings are the messages as a compiler prints them.
func (d Diagnostics) strings() []string {
	all := make([]string, 0, len(d.Shown)+1)
	for _, one := range d.Shown {
		all = append(all, one.Position()+one.Msg)
	}
	if more := d.Total - len(d.Shown); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return all
}

// MarshalJSON makes an array of strings.
func (d Diagnostics) MarshalJSON() ([]byte, error) { return json.Marshal(d.strings()) }

// String is the form of the text log.
func (d Diagnostics) String() string { return strings.Join(d.strings(), "; ") }
