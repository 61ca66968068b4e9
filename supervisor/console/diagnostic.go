package console

import (
	"fmt"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// maxColumns bounds a source line: a terminal shows no more, and generated code
// has lines of megabytes.
const maxColumns = 160

// diagnosticBlock is the form for people: messages, each with its source line.
func diagnosticBlock(d logline.Diagnostics, p palette) []string {
	var out []string
	for i, one := range d.Shown {
		msg := strings.Split(one.Msg, "\n")
		out = append(out, p.bold(clean(one.Position()))+p.red(clean(msg[0])))
		for _, more := range msg[1:] {
			out = append(out, "  "+clean(expand(more)))
		}
		out = append(out, excerpt(one, d.Source[i], p)...)
	}
	if more := d.Total - len(d.Shown); more > 0 {
		out = append(out, p.faint(fmt.Sprintf("and %d more", more)))
	}
	return out
}

// excerpt is the source line with its number, and a mark under the column.
func excerpt(d logline.Diagnostic, source string, p palette) []string {
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
