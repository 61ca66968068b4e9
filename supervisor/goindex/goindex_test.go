package goindex

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	for output, want := range map[string]string{
		"main.go:2:8: no required module provides package example.com/app/a; to add it:\n\tgo get example.com/app/a": "main.go:2:8: no required module provides package example.com/app/a; to add it:",
		"# app\nmain.go:2:8: package app/a is not in std (/usr/local/go/src/app/a)\n":                                "main.go:2:8: package app/a is not in std (/usr/local/go/src/app/a)",
		"package app\n\timports app/a: build constraints exclude all Go files in /src/app/a":                         "imports app/a: build constraints exclude all Go files in /src/app/a",
		"package app/a: no Go files in /src/app/a":                                                                   "package app/a: no Go files in /src/app/a",
		"main.go:2:8: cannot find module providing package app/a: import lookup disabled by -mod=vendor":             "main.go:2:8: cannot find module providing package app/a: import lookup disabled by -mod=vendor",
		"main.go:7:2: undefined: a":                 "",
		"main.go:2:8: \"os\" imported and not used": "",
		"": "",
	} {
		if got := Missing(output); got != want {
			t.Errorf("%q: %q", output, got)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Setenv("GODEBUG", "gctrace=1")
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"A=1"}, "GODEBUG=goindex=0"},
		{[]string{"GODEBUG=a=1", "GODEBUG=b=2"}, "GODEBUG=b=2,goindex=0"},
		{[]string{"GODEBUG="}, "GODEBUG=goindex=0"},
		{nil, "GODEBUG=gctrace=1,goindex=0"},
	} {
		before := slices.Clone(c.env)
		got := Without(c.env)
		if got[len(got)-1] != c.want || !slices.Equal(c.env, before) {
			t.Errorf("%q: %q", c.env, got[len(got)-1])
		}
	}
}
