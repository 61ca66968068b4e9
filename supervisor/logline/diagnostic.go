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
	Total  int          // also those not shown
}

// ReadSource reads the source lines of the first messages. File names are
// relative to dir. It does I/O: call it where the build ran.
func ReadSource(dir string, all []Diagnostic) Diagnostics {
	d := Diagnostics{Shown: all[:min(len(all), MaxDiagnostics)], Total: len(all)}
	for _, one := range d.Shown {
		d.Source = append(d.Source, sourceLine(dir, one))
	}
	return d
}

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
