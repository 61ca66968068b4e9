package goflags

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name  string
		words []string
		want  Flags
	}{
		{"nothing", nil, nil},
		{"alone", []string{"-race"}, Flags{{"race", "true", []string{"-race"}}}},
		{"assigned", []string{"--ldflags=-X a=b"}, Flags{{"ldflags", "-X a=b", []string{"--ldflags=-X a=b"}}}},
		{"two words", []string{"-tags", "-v", "-v"}, Flags{{"tags", "-v", []string{"-tags", "-v"}}, {"v", "true", []string{"-v"}}}},
		{"unknown to the table", []string{"-trimpath", "-new=1"}, Flags{{"trimpath", "true", []string{"-trimpath"}}, {"new", "1", []string{"-new=1"}}}},
		{"without its value", []string{"-race", "-tags"}, Flags{{"race", "true", []string{"-race"}}}},
		{"no flags", []string{"./x", "-", "--", "-=x", "---x", "-tags a"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Parse(test.words); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestEffective(t *testing.T) {
	all := Effective(`-tags=env '-ldflags=-X "a=b c"' -race -p 4`, []string{"-tags", "x,y z", "-race=false", "-pgo=off"})
	if got, want := all.Tags(), []string{"x", "y", "z"}; !slices.Equal(got, want) {
		t.Errorf("tags %q, want %q", got, want)
	}
	if got, want := all.Value("ldflags"), `-X "a=b c"`; got != want {
		t.Errorf("ldflags %q, want %q", got, want)
	}
	if all.On("race") || !all.Has("race") || all.Has("msan") {
		t.Error("the last -race is off, and there is no -msan")
	}
	if all := Effective(`-race '-tags`, []string{"-v"}); len(all) != 1 || !all.Has("v") {
		t.Errorf("of a malformed GOFLAGS there is %+v", all)
	}
}

// TestWords: what each command of devguard's is given.
func TestWords(t *testing.T) {
	flags := Parse([]string{"-race", "-tags", "a", "-pgo=off", "-gcflags=all=-N", "-trimpath", "-ldflags=-s", "-v", "-x", "-work", "-a"})
	for _, test := range []struct {
		uses []Use
		want string
	}{
		{[]Use{Selects}, "-race -tags a"},
		{[]Use{Compiles, Selects, Profiles}, "-race -tags a -pgo=off -gcflags=all=-N -trimpath"},
		{[]Use{Compiles, Selects, Profiles, Prints}, "-race -tags a -pgo=off -gcflags=all=-N -trimpath -v -x -work -a"},
		{[]Use{Links}, "-ldflags=-s"},
	} {
		if got := strings.Join(flags.Words(test.uses...), " "); got != test.want {
			t.Errorf("%v: got %s, want %s", test.uses, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		flags []string
		at    int
		want  string // in the error and its hint; "" for none
	}{
		{nil, 0, ""},
		{[]string{"-race", "-tags", "a,b", "--ldflags=-s", "-gcflags", "all=-N -l", "-buildvcs", "-v"}, 0, ""},
		{[]string{"-x", "-work", "-a", "-trimpath", "-p", "4", "-unknown"}, 0, ""},
		{[]string{"-buildmode=pie"}, 0, ""},
		{[]string{"-buildmode", "plugin"}, 0, "-buildmode=plugin makes no program that could be run; use default, exe or pie"},
		{[]string{"-o", "x"}, 0, "-o cannot be used; devguard chooses where the program is written"},
		{[]string{"-race", "--o=x"}, 1, "-o cannot be used"},
		{[]string{"-o"}, 0, "-o cannot be used"},
		{[]string{"-C", "x"}, 0, "-C cannot be used"},
		{[]string{"-n"}, 0, "-n cannot be used; it would build nothing"},
		{[]string{"-tags", "x", "-json"}, 2, "-json cannot be used; devguard reads the compiler's plain messages"},
		{[]string{"-h"}, 0, "-h cannot be used"},
		{[]string{"-help"}, 0, "-help cannot be used"},
		{[]string{"-race", "-tags"}, 1, `-tags has no value; write "-tags=..."`},
		{[]string{"-tags a"}, 0, `"-tags" and its value are one element; write "-tags", "..."`},
		{[]string{"-ldflags -X a=b"}, 0, `"-ldflags" and its value are one element`},
		{[]string{"./cmd/app"}, 0, "an element is not a flag; write packages in app.package"},
		{[]string{"-"}, 0, "not a flag"},
		{[]string{"--"}, 0, "not a flag"},
		{[]string{"---x"}, 0, "not a flag"},
		{[]string{"-=x"}, 0, "not a flag"},
	}
	for _, tt := range tests {
		problems := Check(tt.flags)
		if tt.want == "" {
			if len(problems) > 0 {
				t.Errorf("%q: %v", tt.flags, problems[0])
			}
			continue
		}
		if len(problems) != 1 {
			t.Errorf("%q: %d problems, want one", tt.flags, len(problems))
			continue
		}
		if p := problems[0]; p.At != tt.at || !strings.Contains(p.Error()+"; "+p.Hint(), tt.want) {
			t.Errorf("%q: [%d] %v; %s, want [%d] %q", tt.flags, p.At, p, p.Hint(), tt.at, tt.want)
		}
	}
	if problems := Check([]string{"-o", "x", "-tags a", "y"}); len(problems) != 3 || problems[2].At != 3 {
		t.Errorf("not all are reported: %v", problems)
	}
}

func TestSplit(t *testing.T) {
	for s, want := range map[string][]string{
		"":                             nil,
		" \t\n":                        nil,
		" -a  -b\t-c\n":                {"-a", "-b", "-c"},
		`'-ldflags=-X "a=b c"' "-t=x"`: {`-ldflags=-X "a=b c"`, "-t=x"},
		`-a="b c"`:                     {`-a="b`, `c"`}, // quotes count around whole words alone
		`''`:                           {""},
	} {
		if got, err := Split(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", s, got, err, want)
		}
	}
	if _, err := Split(`-a '-b`); err == nil {
		t.Error("an open quote is no error")
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`-a '-ldflags=-X "main.v=a b"' "-tags=x"`)
	f.Add(`'`)
	f.Add("-tags=a '-ldflags=-X main.v=1' \"-race\"")
	f.Add("'-tags")
	f.Fuzz(func(t *testing.T, s string) {
		words, err := Split(s)
		for _, w := range words {
			if !strings.Contains(s, w) {
				t.Errorf("%q is not in %q (%v)", w, s, err)
			}
		}
		flags := Effective(s, words)
		flags.Words(Selects)
		if problems := Check(words); len(problems) == 0 {
			// What passes is passed on, word by word.
			all := Parse(words).Words(Compiles, Selects, Profiles, Links, Prints, Refused)
			if !slices.Equal(all, words) {
				t.Errorf("%q became %q", words, all)
			}
		}
	})
}
