package session

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFingerprint bounds a fingerprint, in bytes.
const maxFingerprint = 200

// Fingerprint returns sql without what differs from one execution to the next: a constant, or a
// list of them, is written as ?, comments and white space as one space. The result is printable
// UTF-8 of at most 200 bytes. It never holds a piece of a constant, whatever sql is: where it
// cannot be told what belongs to a constant, the fingerprint ends in ?.
func Fingerprint(sql string) string {
	l := lexer{text: sql}
	out := make([]byte, 0, maxFingerprint+utf8.UTFMax)
	for len(out) <= maxFingerprint {
		at := l.pos
		t := l.next()
		if t.kind == tokenEnd {
			break
		}
		if l.pos-len(t.text) > at && len(out) > 0 {
			out = append(out, ' ')
		}
		var more bool
		if out, more = appendNormal(out, t); !more {
			break
		}
	}
	return printable(out)
}

// appendNormal appends a token; more is false when what follows cannot be told from a constant.
func appendNormal(out []byte, t token) (_ []byte, more bool) {
	switch t.kind {
	case tokenString:
		// A quote behind a backslash ends the constant or does not: that depends on
		// standard_conforming_strings, and with E'' on the client's encoding (in SJIS a backslash
		// may be half a letter).
		return appendConstant(out), !strings.Contains(t.text, `\'`)
	case tokenNumber:
		// Before version 15 a dollar quote could follow a number at once.
		return appendConstant(out), !strings.Contains(t.text, "$")
	case tokenUnended:
		return appendConstant(out), false
	case tokenIdent:
		if !plainIdent(t.text) {
			return append(out, `"?"`...), true
		}
	}
	return append(out, clip(t.text, maxFingerprint+1)...), true
}

// appendConstant appends ?, unless the constant is one more of a list that has its ? already.
func appendConstant(out []byte) []byte {
	list := strings.TrimRight(string(out[max(0, len(out)-3):]), " ")
	if strings.HasSuffix(list, "?,") {
		return out[:strings.LastIndexByte(string(out), ',')]
	}
	return append(out, '?')
}

// plainIdent reports whether a quoted identifier is one such as ORMs write. Any other may be a
// piece of a constant, between the quotes of broken SQL.
func plainIdent(quoted string) bool {
	for _, c := range quoted[1 : len(quoted)-1] {
		if c != '_' && c != '-' && c != '$' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return len(quoted) <= maxIdent+2
}

// printable cuts out to maxFingerprint and replaces what a terminal should not see.
func printable(out []byte) string {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(out))
	return strings.TrimSpace(clip(clean, maxFingerprint))
}
