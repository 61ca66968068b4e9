package translate

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// List writes strings as a list of TOML, over several lines when it is long.
func List(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = String(s)
	}
	if one := "[" + strings.Join(out, ", ") + "]"; len(one) < 100 {
		return one
	}
	return "[\n  " + strings.Join(out, ",\n  ") + ",\n]"
}

// String writes a string of TOML, literal when that saves escapes. What is not UTF-8 is replaced:
// TOML has nothing else.
func String(s string) string {
	if strings.ContainsAny(s, `"\`) && !strings.ContainsFunc(s, func(r rune) bool { return r == '\'' || r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
