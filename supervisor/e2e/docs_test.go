package e2e_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/devguard/devguard/supervisor/config"
)

// TestDocs runs what README.md, CONTRIBUTING.md and docs say, each page in a directory of its own. What
// a page may say, and how, is in CONTRIBUTING.md, "The documentation".
func TestDocs(t *testing.T) {
	for _, p := range readPages(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, p.name)
			for _, b := range p.blocks {
				if err := s.do(b); err != nil {
					t.Fatalf("%s:%d: %v", p.name, b.line, err)
				}
				if b.reason != "" {
					t.Logf("%s:%d is not run: %s", p.name, b.line, b.reason)
				}
			}
		})
	}
}

// site is the directory in which the blocks of one page are run.
type site struct {
	t    *testing.T
	work string // what a reader has: the project
	kept string // beside it: programs, the log of devguard
	env  []string
	port string    // in place of 8080
	dg   *devguard // never started: it knows what is left
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	root := t.TempDir()
	s := &site{t: t, work: filepath.Join(root, "work"), kept: filepath.Join(root, "kept"), port: freePort(t), dg: prepare(t, root, nil)}
	write(t, filepath.Join(s.kept, "log"), "")
	write(t, filepath.Join(s.work, "..", "home", ".gitconfig"), "[user]\n\tname = you\n\temail = you@example.com\n")
	own := strings.TrimSuffix(strings.TrimPrefix(name, "docs/"), ".md") + ".txtar"
	s.unpack("testdata/docs/project.txtar")
	if _, err := os.Stat(filepath.Join("testdata", "docs", own)); err == nil {
		s.unpack(filepath.Join("testdata", "docs", own))
	}
	write(t, filepath.Join(s.kept, "bin", "devguard"), fmt.Sprintf(background, binary(t)))
	if err := os.Chmod(filepath.Join(s.kept, "bin", "devguard"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = append(cleanEnv(), goEnvironment(t)...)
	s.env = append(s.env, s.dg.marker, "GORACE=atexit_sleep_ms=0", "HOME="+filepath.Join(root, "home"), "KEPT="+s.kept,
		"PATH="+filepath.Join(s.kept, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Cleanup(s.end)
	return s
}

// background is the devguard of a page: run and debug go on in the background, in place of the one
// before, and are waited for; all else is passed on.
const background = `#!/usr/bin/env bash
devguard=%s
case $1 in run|debug) ;; *) exec "$devguard" "$@" ;; esac
cd_to=()
for ((i = 2; i <= $#; i++)); do
	case ${!i} in --) break ;; -C) j=$((i + 1)); cd_to=(-C "${!j}") ;; esac
done
runs=$(cat "$KEPT/runs" 2>/dev/null || echo 0)
if [ "$runs" != 0 ]; then
	kill "$(cat "$KEPT/pid")" 2>/dev/null
	until [ -e "$KEPT/ended.$runs" ]; do sleep 0.02; done
fi
runs=$((runs + 1))
echo "$runs" >"$KEPT/runs"
(
	"$devguard" "$@" <"/dev/null" >>"$KEPT/log" 2>&1 &
	echo $! >"$KEPT/pid"
	wait $!
	echo $? >"$KEPT/ended.$runs"
) >/dev/null 2>&1 &
until [ -e "$KEPT/ended.$runs" ]; do
	said=$("$devguard" wait "${cd_to[@]}" 2>&1)
	case $? in
	0) exit 0 ;;
	4) sleep 0.02 ;; # it does not run yet
	*) echo "$said"; exit 1 ;;
	esac
done
cat "$KEPT/log"
exit "$(cat "$KEPT/ended.$runs")"
`

func (s *site) unpack(archive string) {
	s.t.Helper()
	parsed, err := txtar.ParseFile(archive)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range parsed.Files {
		write(s.t, filepath.Join(s.work, filepath.FromSlash(f.Name)), string(f.Data))
	}
}

// do runs one block, or reads it as what it says it is.
func (s *site) do(b block) error {
	if b.file != "" {
		write(s.t, filepath.Join(s.work, filepath.FromSlash(b.file)), b.text)
	}
	switch b.lang {
	case "text":
		return nil
	case "sh":
		if b.reason != "" || b.file != "" {
			return nil
		}
		return s.shell(b.text)
	case "toml":
		if name := path.Base(b.file); b.file != "" && name != config.File {
			return nil
		}
		return s.configuration(b.text)
	case "json":
		var value any
		return json.Unmarshal([]byte(b.text), &value)
	case "go":
		return parsesAsGo(b.text)
	case "":
		return fmt.Errorf("the block has no language: sh for what is typed, text for what is not")
	}
	if b.reason == "" && b.file == "" {
		return fmt.Errorf("a block of %s is neither written to a file nor marked: <!-- file: NAME --> or <!-- not run: REASON --> above it", b.lang)
	}
	return nil
}

// shell types a block. It fails when one of its commands does, unless that is part of a condition. For
// port 8080, which many tests would want, it has another one.
func (s *site) shell(text string) error {
	text = strings.ReplaceAll(text, ":8080", ":"+s.port)
	cmd := exec.CommandContext(s.t.Context(), "bash", "-eu", "-o", "pipefail", "-c", text)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.work, s.env, limit // what goes on in the background may have its output
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.kept, "log"))
		return fmt.Errorf("%w\n%s%s\nthe log of devguard:\n%s", err, text, out, log)
	}
	return nil
}

// configuration reads a block as strictly as devguard does.
func (s *site) configuration(text string) error {
	file := filepath.Join(s.t.TempDir(), config.File)
	write(s.t, file, text)
	_, err := config.Load(file, s.work, config.Overrides{})
	return err
}

// parsesAsGo takes a file, or what may stand in a function.
func parsesAsGo(text string) error {
	if _, err := parser.ParseFile(token.NewFileSet(), "", text, 0); err == nil {
		return nil
	}
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() error {\n"+text+"\nreturn nil\n}\n", 0)
	return err
}

// end ends the last devguard of the page, and finds nothing left of any.
func (s *site) end() {
	if text, err := os.ReadFile(filepath.Join(s.kept, "pid")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && len(s.dg.processes()) > 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	s.dg.nothingLeft()
	if log, _ := os.ReadFile(filepath.Join(s.kept, "log")); strings.Contains(string(log), "WARNING: DATA RACE") {
		s.t.Errorf("devguard has a data race:\n%s", log)
	}
}

// TestDocsBites: a block that is not true is found.
func TestDocsBites(t *testing.T) {
	t.Parallel()
	s := newSite(t, "none.md")
	for _, b := range []block{
		{lang: "sh", text: "false\ntrue\n"},
		{lang: "sh", text: "false | true\n"},
		{lang: "sh", text: "devguard walk\n"},
		{lang: "sh", text: "devguard run ./cmd/none\n"},
		{lang: "sh", text: "printf 'package main\\nfunc main() { broken }\\n' >cmd/app/main.go\ndevguard run ./cmd/app\n"},
		{lang: "toml", text: "[app]\npackage = \"./cmd/app\"\ngraze = \"5s\"\n"},
		{lang: "toml", text: "[app\n", file: "devguard.toml"},
		{lang: "json", text: "{\"a\": 1,}\n"},
		{lang: "go", text: "if x {\n"},
		{lang: "yaml", text: "a: b\n"},
		{text: "devguard run\n"},
	} {
		if s.do(b) == nil {
			t.Errorf("no error of %+v", b)
		}
	}
}
