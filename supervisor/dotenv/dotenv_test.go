package dotenv

import (
	"maps"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text    string
		plain, strict map[string]string // nil: an error
	}{
		{"values", "export A=1\r\nB='two # words'\nC=\"x $A ${A} \\$A\" # note\nM=\"line\nline\"\nD=$NOWHERE\nE=",
			map[string]string{"A": "1", "B": "two # words", "C": "x 1 1 $A", "M": "line\nline", "D": "", "E": ""},
			map[string]string{"A": "1", "B": "two # words", "C": "x 1 1 $A", "M": "line\nline", "D": "", "E": ""}},
		{"nothing", "", map[string]string{}, map[string]string{}},
		{"a byte order mark", "\ufeffA=1\n", nil, map[string]string{"A": "1"}},
		{"a space in a name", "A=1\nB C=2\n", map[string]string{"A": "1", "B C": "2"}, nil},
		{"a lone word at the end", "A=1\nword", map[string]string{"A": "1", "": "word"}, nil},
		{"no assignment", "A=1\nhunter2 is it\n", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain, wrong := Parse(test.text)
			if !maps.Equal(plain, test.plain) || (wrong == nil) != (test.plain != nil) {
				t.Errorf("Parse: %q, %v", plain, wrong)
			}
			strict, wrong := ParseStrict(test.text)
			if !maps.Equal(strict, test.strict) || (wrong == nil) != (test.strict != nil) {
				t.Errorf("ParseStrict: %q, %v", strict, wrong)
			}
		})
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	const secret = "hunter2"
	for _, test := range []struct{ text, want string }{
		{"A=1\n\n# note\nhunter2 is it\n", "line 4: is not an assignment to a variable"},
		{"A=1\nB=\"two\nlines\"\nPASSWORD=\"hunter2\nC=3\n", "line 4: a quoted value is not closed"},
		{"A=1\nA-B=hunter2\n", "line 2: is not an assignment to a variable"},
	} {
		for name, parse := range map[string]func(string) (map[string]string, *Error){"Parse": Parse, "ParseStrict": ParseStrict} {
			_, wrong := parse(test.text)
			if wrong == nil || wrong.Error() != test.want || strings.Contains(wrong.Error(), secret) {
				t.Errorf("%s(%q): %v, want %s", name, test.text, wrong, test.want)
			}
		}
	}
}

// FuzzParse: no text panics, and an error has a line of the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "A=1", "A='", "A=\"\\\"", "export", "A=$", "A=${", "=\n", "A:1\nB: 2", "\"\"\"", "A=x y='z'\n'", "export "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (map[string]string, *Error){Parse, ParseStrict} {
			if _, wrong := parse(text); wrong != nil && (wrong.Line < 1 || wrong.Line > 1+strings.Count(text, "\n")) {
				t.Errorf("%q: %v", text, wrong)
			}
		}
	})
}
