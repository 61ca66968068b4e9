package front

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Problem is something that has failed, as a page shows it. All text is plain.
type Problem struct {
	Title  string  `json:"title"`
	Text   string  `json:"text,omitempty"`
	Places []Place `json:"places,omitempty"`
	Note   string  `json:"note,omitempty"` // what still serves

	// NotReady is the generation that was not ready in time, of a problem that says that: it is none any more
	// once that generation answers. 0 of another.
	NotReady int `json:"-"`
}

// Place is a line of source that a problem is about.
type Place struct {
	Where  string   `json:"where"` // file:line:column
	Text   string   `json:"text"`
	Line   int      `json:"line,omitempty"`
	Source []Source `json:"source,omitempty"` // the lines around it
	Link   string   `json:"link,omitempty"`   // opens it in an editor
}

// Source is one line.
type Source struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

// editors are the URLs by which editors that are known by name open a file. {file} is its absolute
// path.
var editors = map[string]string{
	"vscode":   "vscode://file{file}:{line}:{column}",
	"vscodium": "vscodium://file{file}:{line}:{column}",
	"cursor":   "cursor://file{file}:{line}:{column}",
	"windsurf": "windsurf://file{file}:{line}:{column}",
	"zed":      "zed://file{file}:{line}:{column}",
	"idea":     "idea://open?file={file}&line={line}&column={column}",
	"sublime":  "subl://open?url=file://{file}&line={line}&column={column}",
}

// EditorLink returns a URL that opens a file in an editor, which is a name or a URL with {file},
// {line} and {column}. "" when there is none; one that a browser would run is none.
func EditorLink(editor, file string, line, column int) string {
	pattern, known := editors[editor]
	if !known {
		pattern = editor
	}
	scheme, rest, ok := strings.Cut(pattern, "://")
	if !ok || !strings.Contains(rest, "{file}") || !isScheme(scheme) {
		return ""
	}
	path := strings.ReplaceAll(file, `\`, "/")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/x
	}
	escaped := (&url.URL{Path: path}).EscapedPath()
	if strings.Contains(rest, "?") {
		escaped = strings.NewReplacer("&", "%26", "+", "%2B", "=", "%3D").Replace(escaped)
	}
	return strings.NewReplacer("{file}", escaped, "{line}", strconv.Itoa(max(line, 1)), "{column}", strconv.Itoa(max(column, 1))).Replace(pattern)
}

// isScheme reports whether text is the scheme of a URL that opens something else than a page.
func isScheme(text string) bool {
	switch strings.ToLower(text) {
	case "javascript", "data", "vbscript", "blob", "":
		return false
	}
	return strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// plain is a problem as text.
func (p Problem) plain() string {
	lines := []string{p.Title}
	if p.Text != "" {
		lines = append(lines, p.Text)
	}
	for _, at := range p.Places {
		lines = append(lines, strings.TrimSpace(at.Where+" "+at.Text))
		for _, s := range at.Source {
			mark := " "
			if s.N == at.Line {
				mark = ">"
			}
			lines = append(lines, fmt.Sprintf("%s%5d  %s", mark, s.N, s.Text))
		}
	}
	if p.Note != "" {
		lines = append(lines, p.Note)
	}
	return strings.Join(lines, "\n")
}
