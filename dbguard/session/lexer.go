package session

import "strings"

// tokenKind says what a token of SQL text is.
type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenWord              // a keyword or an identifier without quotes
	tokenIdent             // an identifier in double quotes
	tokenString            // a string constant of any form, all its continuation lines
	tokenNumber            // a number
	tokenParam             // $1
	tokenSymbol            // one byte of anything else
	tokenUnended           // a string, identifier or comment that the text ends in
)

// token is a piece of SQL text; text is part of the lexer's text.
type token struct {
	kind tokenKind
	text string
}

// is reports whether t is the keyword word, which is in lower case.
func (t token) is(word string) bool {
	if t.kind != tokenWord || len(t.text) != len(word) {
		return false
	}
	for i := range len(word) {
		if lower(t.text[i]) != word[i] {
			return false
		}
	}
	return true
}

func (t token) symbol(c byte) bool { return t.kind == tokenSymbol && t.text[0] == c }

// maxIdent is NAMEDATALEN - 1: the bytes that the server keeps of an identifier in SQL, less when
// that would cut a letter (truncate_identifier in scansup.c). A name in a protocol message is
// compared by as many bytes, cut letter or not (maxName); so a statement whose 63rd byte is in the
// middle of a letter has no name in SQL (seen with 15).
const maxIdent = 63

// ident returns the name that t stands for: folded to lower case unless quoted.
func (t token) ident() (name string, ok bool) {
	switch t.kind {
	case tokenWord:
		name = strings.ToLower(t.text)
	case tokenIdent:
		name = strings.ReplaceAll(t.text[1:len(t.text)-1], `""`, `"`)
	default:
		return "", false
	}
	return clip(name, maxIdent), true
}

// clip returns at most n bytes of s and does not cut a UTF-8 sequence.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// lexer cuts SQL text into tokens by the rules of the server's scan.l, with
// standard_conforming_strings on (the default since 9.1). Comments are passed over.
type lexer struct {
	text string
	pos  int
}

func (l *lexer) next() token {
	if !l.skipSpace() {
		return l.unended()
	}
	if l.pos == len(l.text) {
		return token{}
	}
	switch c := l.text[l.pos]; {
	case c == '\'':
		return l.quoted(l.pos, false)
	case c == '"':
		return l.ident(l.pos)
	case c == '$':
		return l.dollar()
	case isDigit(c) || c == '.' && l.pos+1 < len(l.text) && isDigit(l.text[l.pos+1]):
		return l.number()
	case isIdentStart(c):
		return l.word()
	}
	l.pos++
	return token{tokenSymbol, l.text[l.pos-1 : l.pos]}
}

func (l *lexer) unended() token {
	l.pos = len(l.text)
	return token{kind: tokenUnended}
}

// skipSpace passes over white space and comments. It returns false when the text ends in a comment.
func (l *lexer) skipSpace() bool {
	for l.pos < len(l.text) {
		switch rest := l.text[l.pos:]; {
		case isSpace(rest[0]):
			l.pos++
		case strings.HasPrefix(rest, "--"):
			l.pos += lineLength(rest)
		case strings.HasPrefix(rest, "/*"):
			if !l.skipBlockComment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

func lineLength(s string) int {
	if i := strings.IndexAny(s, "\n\r"); i >= 0 {
		return i
	}
	return len(s)
}

// skipBlockComment passes over a comment, which may hold others.
func (l *lexer) skipBlockComment() bool {
	depth := 0
	for ; l.pos+1 < len(l.text); l.pos++ {
		switch l.text[l.pos : l.pos+2] {
		case "/*":
			depth++
			l.pos++
		case "*/":
			depth--
			l.pos++
			if depth == 0 {
				l.pos++
				return true
			}
		}
	}
	return false
}

// quoted reads a string constant that begins at start, with its prefix, and whose opening quote is
// at pos. Two strings with nothing between them but white space with a newline are one.
func (l *lexer) quoted(start int, escapes bool) token {
	for {
		l.pos++
		if !l.skipPast('\'', escapes) {
			return l.unended()
		}
		end := l.pos
		if !l.continued() {
			l.pos = end
			return token{tokenString, l.text[start:end]}
		}
	}
}

// continued moves to the quote that continues a string, if one does.
func (l *lexer) continued() bool {
	newline := false
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case isSpace(c):
			newline = newline || c == '\n' || c == '\r'
			l.pos++
		case strings.HasPrefix(l.text[l.pos:], "--"):
			l.pos += lineLength(l.text[l.pos:])
		default:
			return newline && c == '\''
		}
	}
	return false
}

// skipPast moves behind the closing quote; a doubled one is part of the text.
func (l *lexer) skipPast(quote byte, escapes bool) bool {
	for ; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; {
		case c == '\\' && escapes:
			l.pos++
		case c == quote && l.pos+1 < len(l.text) && l.text[l.pos+1] == quote:
			l.pos++
		case c == quote:
			l.pos++
			return true
		}
	}
	return false
}

func (l *lexer) ident(start int) token {
	l.pos++
	if !l.skipPast('"', false) {
		return l.unended()
	}
	return token{tokenIdent, l.text[start:l.pos]}
}

// dollar reads $1, $$...$$ or $tag$...$tag$.
func (l *lexer) dollar() token {
	start, i := l.pos, l.pos+1
	if i < len(l.text) && isDigit(l.text[i]) {
		for i < len(l.text) && isDigit(l.text[i]) {
			i++
		}
		l.pos = i
		return token{tokenParam, l.text[start:i]}
	}
	for i < len(l.text) && (isIdentStart(l.text[i]) || i > start+1 && isDigit(l.text[i])) {
		i++
	}
	if i == len(l.text) || l.text[i] != '$' {
		l.pos++
		return token{tokenSymbol, l.text[start:l.pos]}
	}
	tag := l.text[start : i+1]
	end := strings.Index(l.text[i+1:], tag)
	if end < 0 {
		return l.unended()
	}
	l.pos = i + 1 + end + len(tag)
	return token{tokenString, l.text[start:l.pos]}
}

// number reads a number and whatever letters hang on it, which is enough here.
func (l *lexer) number() token {
	start := l.pos
	for l.pos < len(l.text) && (isIdentPart(l.text[l.pos]) || l.text[l.pos] == '.') {
		l.pos++
	}
	return token{tokenNumber, l.text[start:l.pos]}
}

// word reads an identifier or keyword, or the string or identifier it is a prefix of.
func (l *lexer) word() token {
	start := l.pos
	for l.pos < len(l.text) && isIdentPart(l.text[l.pos]) {
		l.pos++
	}
	text, rest := l.text[start:l.pos], l.text[l.pos:]
	if len(text) != 1 || rest == "" {
		return token{tokenWord, text}
	}
	switch c := lower(text[0]); {
	case rest[0] == '\'' && strings.IndexByte("ebxn", c) >= 0:
		return l.quoted(start, c == 'e')
	case c == 'u' && strings.HasPrefix(rest, "&'"):
		l.pos++
		return l.quoted(start, false)
	case c == 'u' && strings.HasPrefix(rest, `&"`):
		l.pos++
		return l.ident(l.pos) // its \XXXX escapes are not decoded
	}
	return token{tokenWord, text}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isSpace(c byte) bool      { return c == ' ' || '\t' <= c && c <= '\r' }
func isDigit(c byte) bool      { return '0' <= c && c <= '9' }
func isIdentStart(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' || c == '_' || c >= 0x80 }
func isIdentPart(c byte) bool  { return isIdentStart(c) || isDigit(c) || c == '$' }
