package cmd

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// script writes a shell's completions to a file and returns its path. The test
// is skipped where the shell is missing: none of them belongs to what devguard
// needs.
func script(t *testing.T, shell string) (path, dir string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		testneed.Skip(t, shell, err)
	}
	text, err := Completion(shell)
	if err != nil {
		t.Fatal(err)
	}
	dir = tree(t, map[string]string{"completions": text, "sub dir/x": "", "main.go": ""})
	return filepath.Join(dir, "completions"), dir
}

func run(t *testing.T, dir string, command ...string) []string {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C", "TERM=dumb")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool { return s == "" })
}

// completions of words, of which the last is being typed.
var completions = []struct {
	name  string
	words []string
	want  []string // among the answers
	never []string
}{
	{"verbs", []string{"devguard", ""}, []string{"run", "debug", "explain", "status", "restart", "stop", "reset-connections", "logs", "init", "completion", "version", "help"}, []string{"rolling"}},
	{"verb", []string{"devguard", "ex"}, []string{"explain"}, []string{"run"}},
	{"flags before a verb", []string{"devguard", "--"}, []string{"--version"}, []string{"--db", "run"}},
	{"flags of run", []string{"devguard", "run", "--"}, []string{"--db", "--embedded-db", "--name", "--log-format", "--config", "--dir", "--control", "--front"}, []string{"--embedded", "--listen"}},
	{"flags of debug", []string{"devguard", "debug", "--"}, []string{"--db", "--name", "--listen", "--dir"}, nil},
	{"modes", []string{"devguard", "run", "--db", ""}, []string{"auto", "session", "transaction", "drain", "off"}, []string{"rolling"}},
	{"formats", []string{"devguard", "run", "-v", "--log-format", "j"}, []string{"json"}, []string{"text"}},
	{"flags of explain", []string{"devguard", "explain", "--"}, []string{"--config", "--dir"}, []string{"--db"}},
	{"flags of status", []string{"devguard", "status", "--"}, []string{"--dir", "--name", "--json"}, []string{"--db", "--follow"}},
	{"flags of logs", []string{"devguard", "logs", "--f"}, []string{"--follow"}, []string{"--db"}},
	{"shells", []string{"devguard", "completion", ""}, []string{"bash", "zsh", "fish"}, nil},
	{"directories", []string{"devguard", "run", "-C", "su"}, []string{"sub dir"}, []string{"main.go"}},
}

func check(t *testing.T, got, want, never []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%q is not among %q", w, got)
		}
	}
	for _, n := range never {
		if slices.Contains(got, n) {
			t.Errorf("%q is among %q", n, got)
		}
	}
}

func TestBashCompletion(t *testing.T) {
	path, dir := script(t, "bash")
	for _, test := range completions {
		t.Run(test.name, func(t *testing.T) {
			const complete = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _devguard; printf '%s\n' "${COMPREPLY[@]}"`
			check(t, run(t, dir, append([]string{"bash", "--norc", "-c", complete, "bash", path}, test.words...)...), test.want, test.never)
		})
	}
	t.Run("= splits a word", func(t *testing.T) {
		const complete = `source "$1"; COMP_WORDS=(devguard run --db = dr); COMP_CWORD=4; _devguard; printf '%s\n' "${COMPREPLY[@]}"`
		check(t, run(t, dir, "bash", "--norc", "-c", complete, "bash", path), []string{"drain"}, []string{"auto"})
	})
	t.Run("nothing behind --", func(t *testing.T) {
		const complete = `source "$1"; COMP_WORDS=(devguard run -- --d); COMP_CWORD=3; _devguard; printf '%s\n' "${COMPREPLY[@]}"`
		if got := run(t, dir, "bash", "--norc", "-c", complete, "bash", path); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
}

func TestFishCompletion(t *testing.T) {
	path, dir := script(t, "fish")
	for _, test := range completions {
		t.Run(test.name, func(t *testing.T) {
			const complete = `source $argv[1]; complete -C (string join -- ' ' $argv[2..-1])`
			var got []string
			for _, line := range run(t, dir, append([]string{"fish", "--no-config", "-c", complete, path}, test.words...)...) {
				word, _, _ := strings.Cut(line, "\t")
				got = append(got, strings.TrimSuffix(strings.ReplaceAll(word, `\ `, " "), "/"))
			}
			check(t, got, test.want, test.never)
		})
	}
}

// TestZshCompletion replaces zsh's own helpers, which need a terminal, by ones
// that print what they are given.
func TestZshCompletion(t *testing.T) {
	path, dir := script(t, "zsh")
	const complete = `
compdef() { : }
_describe() { print -l ${(P)2%%:*} }
_arguments() { print -rl -- "$@" }
source $1; shift; words=("$@"); CURRENT=$#; _devguard`
	got := run(t, dir, "zsh", "-f", "-c", complete, "zsh", path, "devguard", "")
	check(t, got, []string{"run", "explain", "init", "completion", "help"}, nil)
	got = run(t, dir, "zsh", "-f", "-c", complete, "zsh", path, "devguard", "run", "")
	check(t, got, []string{
		`(--db)--db[what to do about Postgres sessions\: auto|session|transaction|drain|off]:value:(auto session transaction drain off)`,
		`(--verbose -v)-v[also say what was ignored, and why]`,
		`1:package:_files -/`,
	}, nil)
}

func TestCompletionOfAnotherShell(t *testing.T) {
	var usage *UsageError
	if _, err := Completion("tcsh"); !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
}
