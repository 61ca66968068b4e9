package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"example.com/bench/run"
)

// edit is one kind of save: a word in one file, which the shop then answers.
type edit struct {
	name string // for the table
	file string
	word string // the changing word is this, a hyphen, and a value
	path string // where the program says it

	more   func(text []byte) []byte // what else changes
	silent bool                     // the program stays the same: path says which process answers
}

var edits = []edit{
	{name: "package main", file: "cmd/shop/main.go", word: "shop", path: "/version"},
	{name: "package two levels down", file: "internal/catalog/price/price.go", word: "prices", path: "/version"},
	{name: "template", file: "templates/layout.html", word: "page", path: "/"},
}

// isSource reports whether the edit asks for a build.
func (e edit) isSource() bool { return strings.HasSuffix(e.file, ".go") }

// save puts a new value into the edit's file below shop, and returns what the
// shop answers when it is of that state.
func (e edit) save(shop, value string) (want string, err error) {
	file := filepath.Join(shop, e.file)
	old, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	pattern := regexp.MustCompile(`\b` + e.word + `-\w+`)
	want = e.word + "-" + value
	if n := len(pattern.FindAll(old, -1)); n != 1 {
		return "", fmt.Errorf("%s has %d words like %s, want one", e.file, n, want)
	}
	text := pattern.ReplaceAll(old, []byte(want))
	if e.more != nil {
		text = e.more(text)
	}
	return want, os.WriteFile(file, text, 0o644)
}

// commit makes dir a git repository: stamping the binary with its state is part
// of what a plain `go build` does.
func commit(ctx context.Context, dir string, env []string) error {
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "the shop"},
	} {
		if err := run.Do(ctx, dir, env, append([]string{"git"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// environment is ours for all the tools and builds, without GOFLAGS: a
// `-buildvcs=false` there would give everybody what devguard does by itself.
func environment(work, database string) ([]string, error) {
	out, err := exec.Command("go", "env", "GOENV").Output()
	if err != nil {
		return nil, err
	}
	var settings strings.Builder
	if b, err := os.ReadFile(strings.TrimSpace(string(out))); err == nil {
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "GOFLAGS=") {
				settings.WriteString(line)
			}
		}
	}
	file := filepath.Join(work, "goenv")
	if err := os.WriteFile(file, []byte(settings.String()), 0o644); err != nil {
		return nil, err
	}
	var env []string
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "GOFLAGS", "GOENV", "PWD", "PORT", "HOST", "DATABASE_URL", "DIRECT_URL", "SUPABASE_DATABASE_URL":
		default:
			env = append(env, kv)
		}
	}
	return append(env, "GOENV="+file, "HOST=127.0.0.1", "DATABASE_URL="+database), nil
}
