package build

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Diagnostic is one message of the go command, the compiler, the linker or the
// C compiler.
type Diagnostic struct {
	File    string // relative to the user's directory if that is shorter; "" if the message is of no file
	Line    int    // 0 if unknown
	Col     int    // 0 if unknown
	Msg     string // may have more lines; theirs keep their indentation
	Package string // import path of the package being compiled; "" before compiling
}

// String is the message as a compiler prints it: file:line:col: message.
func (d Diagnostic) String() string {
	switch {
	case d.File == "":
		return d.Msg
	case d.Col == 0:
		return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Col, d.Msg)
}

// A file name in a position has no colon, but for a drive letter, and is not
// quoted: `dial tcp "..." 10.0.0.1:443: ...` is none.
var position = regexp.MustCompile(`^((?:[A-Za-z]:)?[^\s:"][^:"]*):(\d{1,9})(?::(\d{1,9}))?: ?(.*)$`)

// Parse turns what a go command printed when it ran in dir into messages. No line
// is lost: what is not understood is the Msg of a Diagnostic without File, or
// continues the one before it; a "# package" line is the Package of what follows.
// The same message twice (cgo prints some so) is one.
func Parse(output, dir string) []Diagnostic {
	p := parser{dir: dir}
	for line := range strings.Lines(output) {
		p.line(strings.TrimRight(line, "\r\n"))
	}
	return p.distinct()
}

type parser struct {
	dir  string
	pkg  string
	diag []Diagnostic
	open bool // a line without position continues the last message
}

func (p *parser) line(line string) {
	if strings.TrimSpace(line) == "" {
		p.open = false
		return
	}
	if pkg, ok := strings.CutPrefix(line, "# "); ok {
		p.pkg, p.open = pkg, false
		return
	}
	if len(p.diag) > 0 && p.continues(line) {
		p.diag[len(p.diag)-1].Msg += "\n" + line
		return
	}
	d := Diagnostic{Msg: line, Package: p.pkg}
	if m := position.FindStringSubmatch(line); m != nil {
		d.File, d.Msg = relative(m[1], p.dir), m[4]
		d.Line, _ = strconv.Atoi(m[2])
		d.Col, _ = strconv.Atoi(m[3])
	}
	p.open = d.File == ""
	p.diag = append(p.diag, d)
}

// continues reports whether a line belongs to the message before it: what is
// indented, what the assembler and the C compiler end with, and the lines of a
// linker, of which only some have positions (in files that are no longer there).
func (p *parser) continues(line string) bool {
	last := p.diag[len(p.diag)-1]
	if last.Package != p.pkg {
		return false
	}
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return true
	case line == "compilation terminated.", strings.HasPrefix(line, "asm: assembly of "):
		return true
	case strings.Contains(last.Msg, "link: running "):
		return p.open
	}
	return p.open && !position.MatchString(line) && !strings.HasPrefix(line, "go: ") && !strings.HasPrefix(line, "package ")
}

func (p *parser) distinct() []Diagnostic {
	seen := map[Diagnostic]bool{}
	var all []Diagnostic
	for _, d := range p.diag {
		if !seen[d] {
			seen[d] = true
			all = append(all, d)
		}
	}
	return all
}

// relative names file as seen from dir, where the go command ran. An absolute
// name stays when it is shorter, as the go command itself has it: module cache,
// GOROOT.
func relative(file, dir string) string {
	if !filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	if rel, err := filepath.Rel(dir, file); err == nil && len(rel) < len(file) {
		return rel
	}
	return file
}
