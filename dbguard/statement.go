package dbguard

import (
	"strings"
	"unicode"
)

// longestStatement bounds a statement in a log line, in bytes.
const longestStatement = 200

// withoutLiterals returns a statement for the log: strings and numbers are replaced
// by ?, since they may be secrets; white space is squeezed. What cannot be told from
// a literal, an unfinished string or a dollar quote, hides the rest.
func withoutLiterals(sql string) string {
	var b strings.Builder
	space := false
	for i := 0; i < len(sql) && b.Len() < longestStatement; {
		c := sql[i]
		if unicode.IsSpace(rune(c)) {
			space, i = true, i+1
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		piece, n := token(sql[i:])
		b.WriteString(piece)
		i += n
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// token returns how the beginning of sql is written in the log, and its length.
func token(sql string) (string, int) {
	switch c := sql[0]; {
	case c == '\'':
		return "?", stringLength(sql)
	case c == '$' && len(sql) > 1 && isDigit(sql[1]): // a parameter
		n := 1 + wordLength(sql[1:])
		return sql[:n], n
	case c == '$': // a dollar quote
		return "?", len(sql)
	case c == '"':
		if end := strings.IndexByte(sql[1:], '"'); end >= 0 {
			return sql[:end+2], end + 2
		}
		return "?", len(sql)
	case strings.HasPrefix(sql, "--"), strings.HasPrefix(sql, "/*"): // may hold anything, quotes included
		return "...", len(sql)
	case isDigit(c):
		return "?", wordLength(sql)
	case isWord(c):
		n := wordLength(sql)
		if n < len(sql) && sql[n] == '\'' && strings.EqualFold(sql[:n], "e") { // backslashes escape quotes there
			return "?", len(sql)
		}
		return sql[:n], n
	}
	return sql[:1], 1
}

// stringLength returns the length of a quoted string. A backslash may or may not
// escape what follows (standard_conforming_strings): then all the rest is taken.
func stringLength(sql string) int {
	for i := 1; i < len(sql); i++ {
		switch {
		case sql[i] == '\\':
			return len(sql)
		case sql[i] == '\'' && i+1 < len(sql) && sql[i+1] == '\'':
			i++
		case sql[i] == '\'':
			return i + 1
		}
	}
	return len(sql)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return max(n, 1)
}
