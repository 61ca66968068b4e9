package term

import (
	"testing"
	"unicode"
)

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		"r":                 "r",
		"r?q":               "r?q",
		"é日":                "é日",
		"\x1b[A":            "",  // up
		"\x1b[1;5Cr":        "r", // Ctrl-right, then r
		"\x1bOPq":           "q", // F1
		"\x1b":              "",
		"\x1b\x1b[Bq":       "q",
		"\x1br":             "", // Alt-r
		"\x1b[200~rr":       "rr",
		"\x04\x00\r\nr\x7f": "r",
		"\xff\xfer":         "r",
		"\x1b[12":           "",
	} {
		if got := string(decode([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"r", "\x1b[A", "\x1b", "\x1b\x1b", "\x1bO", "\xff", "\x1b\xc3\xa9"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, r := range decode(in) {
			if unicode.IsControl(r) {
				t.Errorf("%q gave the key %q", in, r)
			}
		}
	})
}
