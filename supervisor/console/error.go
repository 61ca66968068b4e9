package console

import (
	"fmt"
	"io"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// PrintError writes an error of the command line, and its hint: a method Hint()
// string of it or of one it wraps. Each further line is indented under the first.
// An error that joins others is written as one each.
func PrintError(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err, joined.Unwrap()) {
		for _, one := range joined.Unwrap() {
			PrintError(w, one)
		}
		return
	}
	printBlock(w, "devguard: error: ", err.Error())
	if hint := logline.HintOf(err); hint != "" {
		printBlock(w, "devguard: hint: ", hint)
	}
}

// isJoin reports whether the error is nothing but its parts, one a line.
func isJoin(err error, parts []error) bool {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.Error()
	}
	return len(parts) > 0 && err.Error() == strings.Join(texts, "\n")
}

func printBlock(w io.Writer, head, text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = clean(expand(strings.TrimSuffix(line, "\r")))
	}
	fmt.Fprintf(w, "%s%s\n", head, strings.Join(lines, "\n  "))
}
