package hook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline"
)

func TestNamed(t *testing.T) {
	for script, want := range map[string]string{
		"npx prisma generate":     "npx",
		"  A=1 B=2 sqlc generate": "sqlc",
		"A=1":                     "",
		"A=$URL goose up":         "goose",
		`A="x'${URL}" B='"' go`:   "go",
		`A="'"' go`:               "",
		"A=${URL:-a b} go":        "",
		`A="a\\" b" go`:           "",
		"":                        "",
	} {
		if got := (Spec{Shell: script}).named(); got != want {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
	if got := (Spec{Command: []string{"a b", "c"}}).named(); got != "a b" {
		t.Errorf("list: %q", got)
	}
}

// TestNoSecretIsTakenForAProgram: a word of a value with spaces is not called a command that is missing.
func TestNoSecretIsTakenForAProgram(t *testing.T) {
	for _, script := range []string{"X='one s3cret two' no-such-program", `X="one s3cret" no-such-program`, `X=one\ s3cret no-such-program`, "X=$(no-such-program s3cret)", `Xs3cret="p s3cret q" no-such-program`} {
		spec := Spec{Name: "h", Shell: script, Output: discard(t)}
		program, err := Find(spec)
		res := Run(t.Context(), spec)
		if told := fmt.Sprint(program, err, res.Err, logline.HintOf(res.Err)); res.Code != 127 || strings.Contains(told, "s3cret") {
			t.Errorf("%s: %d, %s", script, res.Code, told)
		}
	}
}

func TestVariable(t *testing.T) {
	env := []string{"PATH=a", "PATHX=b", "PATH=c=d"}
	if got := variable(env, "PATH"); got != "c=d" {
		t.Errorf("%q", got)
	}
	if got := variable(env, "NONE"); got != "" {
		t.Errorf("%q", got)
	}
}
