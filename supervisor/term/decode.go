package term

import (
	"unicode"
	"unicode/utf8"
)

const escape = 0x1b

// decode returns the keys in what one read gave. A terminal sends an escape
// sequence in one piece, so one read has all of it; should it be torn, its rest
// is taken for keys, as by most programs. Control characters are no keys.
func decode(in []byte) []rune {
	var keys []rune
	for len(in) > 0 {
		if in[0] == escape {
			in = in[sequence(in):]
			continue
		}
		r, size := utf8.DecodeRune(in)
		if r != utf8.RuneError && !unicode.IsControl(r) {
			keys = append(keys, r)
		}
		in = in[size:]
	}
	return keys
}

// sequence returns the length of the escape sequence that in starts with:
// ECMA-48 CSI (ESC [, parameters, a final byte from @ to ~), SS3 (ESC O and a
// byte), Alt with a key (ESC and the key), or ESC alone.
func sequence(in []byte) int {
	if len(in) < 2 {
		return len(in)
	}
	switch in[1] {
	case '[':
		for i := 2; i < len(in); i++ {
			if in[i] >= '@' && in[i] <= '~' {
				return i + 1
			}
		}
		return len(in)
	case 'O':
		return min(3, len(in))
	case escape:
		return 1
	}
	_, size := utf8.DecodeRune(in[1:])
	return 1 + size
}
