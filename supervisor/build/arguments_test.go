package build

import (
	"slices"
	"strings"
	"testing"
)

// TestDebugArguments: the user's flags of compiler and linker do not take from a debugger what it needs,
// and the others are passed as always.
func TestDebugArguments(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		flags     []string
		want      string // words of gcflags and ldflags, in the order of the command line
	}{
		{"none", "", nil, "-gcflags=all=-N -l"},
		{"others", "", []string{"-race", "-tags", "dev"}, "-gcflags=all=-N -l"},
		{"plain", "", []string{"-gcflags=-m", "-ldflags=-s -w -X main.v=1"}, "-ldflags=-s -w -X main.v=1 -s=false -w=false|-gcflags=all=-N -l|-gcflags=-N -l -m"},
		{"two words", "", []string{"-gcflags", "all=-m", "-ldflags", "all=-s"}, "-ldflags=all=-s -s=false -w=false|-gcflags=all=-N -l|-gcflags=all=-N -l -m"},
		{"GOFLAGS", "-gcflags=all=-m '-ldflags=-s -w'", []string{"-gcflags=-S"}, "-ldflags=-s -w -s=false -w=false|-gcflags=all=-N -l|-gcflags=all=-N -l -m|-gcflags=-N -l -S"},
		{"empty", "", []string{"-gcflags=all=", "-ldflags="}, "-ldflags=-s=false -w=false|-gcflags=all=-N -l|-gcflags=all=-N -l"},
		{"none of a flag", "", []string{"-gcflags=wrong"}, "-gcflags=all=-N -l|-gcflags=wrong"},
	} {
		args, err := arguments(Request{Flags: tt.flags, Debug: true, Out: "/out", Package: "./app"}, tt.env)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(slices.Clone(args), func(a string) bool {
			return !strings.HasPrefix(a, "-gcflags") && !strings.HasPrefix(a, "-ldflags")
		})
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, strings.Join(got, "|"), tt.want)
		}
		if tt.name == "others" && !strings.Contains(strings.Join(args, " "), "-race -tags dev -o /out ./app") {
			t.Errorf("%s: got %q", tt.name, args)
		}
	}
}

// TestDebugBuild: the program has DWARF, with the user's flags too.
func TestDebugBuild(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	r := p.request("-ldflags=-s -w -X main.v=flag")
	r.Debug = true
	res := p.build(r)
	if !hasDWARF(t, res.Out) {
		t.Error("no DWARF")
	}
	if got := settings(t, res.Out)["-gcflags"]; got != "all=-N -l" {
		t.Errorf("compiled with %q", got)
	}
	if got := prints(t, res.Out); got != "flag" {
		t.Errorf("printed %q", got)
	}
}
