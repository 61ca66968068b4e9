package hook

import "testing"

func TestProgram(t *testing.T) {
	for script, want := range map[string]string{
		"npx prisma generate":     "npx",
		"  A=1 B=2 sqlc generate": "sqlc",
		"A=1":                     "A=1",
		"":                        "",
	} {
		if got := (Spec{Shell: script}).program(); got != want {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
	if got := (Spec{Command: []string{"a b", "c"}}).program(); got != "a b" {
		t.Errorf("list: %q", got)
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
