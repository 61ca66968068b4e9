package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// diagnosis is what `devguard doctor --json` says.
type diagnosis struct {
	t    *testing.T
	text string
	code int

	Schema, Problems, Warnings int
	Lines                      []struct{ Check, State, Text, Fix string }
}

// doctor runs it in dir; more of its environment comes last, and wins.
func doctor(t *testing.T, dir string, env []string, args ...string) diagnosis {
	t.Helper()
	cmd := exec.Command(binary(t), append([]string{"doctor", "--json"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(cleanEnv(), append([]string{"GORACE=atexit_sleep_ms=0"}, env...)...)
	return diagnosed(t, cmd)
}

func diagnosed(t *testing.T, cmd *exec.Cmd) diagnosis {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	d := diagnosis{t: t, text: string(out), code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.String())
	}
	if want := min(d.Problems, 1); d.code != want || d.Schema != 1 || stderr.Len() > 0 {
		t.Errorf("exit code %d, want %d; schema %d; stderr %q", d.code, want, d.Schema, stderr.String())
	}
	return d
}

// line returns a line of that state and check with the text in it; it must be there.
func (d diagnosis) line(state, check, text string) (fix string) {
	d.t.Helper()
	for _, l := range d.Lines {
		if l.State == state && l.Check == check && strings.Contains(l.Text, text) {
			return l.Fix
		}
	}
	d.t.Errorf("no %s of %s with %q in\n%s", state, check, text, d.text)
	return ""
}

// none fails when a line of a check is not ok.
func (d diagnosis) none(checks ...string) {
	d.t.Helper()
	for _, l := range d.Lines {
		for _, check := range checks {
			if l.Check == check && l.State != "ok" {
				d.t.Errorf("%+v", l)
			}
		}
	}
}

// typed runs a fix that is a command in dir.
func typed(t *testing.T, dir, fix string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", fix)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", fix, err, out)
	}
}

const idleMain = "package main\n\nfunc main() { select {} }\n"

// TestDoctorWell: a project without any trouble, for people and for programs.
func TestDoctorWell(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": idleMain})
	d := doctor(t, dir, nil)
	for check, text := range map[string]string{
		"configuration": "there is no devguard.toml", "go": "go1.", "module": "go.mod and go.sum agree", "graph": "1 module",
		"watch.limit": "watches of this user", "files": "events can be relied on", "sockets": "held over a restart (tried)", "database": "none is named",
	} {
		d.line("ok", check, text)
	}
	if d.Problems+d.Warnings != 0 {
		t.Errorf("%s", d.text)
	}
	people := exec.Command(binary(t), "doctor", ".")
	people.Dir, people.Env = dir, cleanEnv()
	out, err := people.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ok       there is no devguard.toml") || !strings.HasSuffix(string(out), "\nall is well\n") {
		t.Errorf("%v: %s", err, out)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("it has left something: %v", entries)
	}
	usage := exec.Command(binary(t), "doctor", "--jsn")
	if out, err := usage.CombinedOutput(); usage.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "did you mean --json?") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestDoctorOfCommand: no Go module, no devguard.toml, and no go command.
func TestDoctorOfCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "server.js"), "")
	d := doctor(t, dir, nil)
	if fix := d.line("problem", "configuration", "nothing to run"); !strings.Contains(fix, "devguard run -- COMMAND") {
		t.Errorf("fix: %s", fix)
	}
	tools := filepath.Join(t.TempDir(), "bin")
	write(t, filepath.Join(tools, "README"), "")
	d = doctor(t, dir, []string{"PATH=" + tools}, "--", "sleep", "60")
	if d.Problems > 0 || strings.Contains(d.text, `"check":"go"`) {
		t.Errorf("%s", d.text)
	}
	d.line("ok", "configuration", "it would run sleep")
	d.line("ok", "watch.limit", "1 file")
}

// TestDoctorOfConfiguration: what is wrong is said with its place, and the rest is looked at.
func TestDoctorOfConfiguration(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": idleMain, "devguard.toml": "[app]\npackge = '.'\n"})
	d := doctor(t, dir, nil)
	if fix := d.line("problem", "configuration", "devguard.toml:2:1: "); fix != `did you mean "app.package"?` {
		t.Errorf("fix: %s", fix)
	}
	d.line("ok", "graph", "1 module")
	write(t, filepath.Join(dir, "devguard.toml"), "[app]\npackage = '.'\nenv_files = ['dev.env']\n")
	d = doctor(t, dir, nil)
	if fix := d.line("problem", "configuration", "dev.env: env file cannot be read"); !strings.HasPrefix(fix, "create it") {
		t.Errorf("fix: %s", fix)
	}
	write(t, filepath.Join(dir, "dev.env"), "A=1\nB\n")
	doctor(t, dir, nil).line("problem", "configuration", "dev.env:2:1: ")
	write(t, filepath.Join(dir, "dev.env"), "A=1\n")
	if d = doctor(t, dir, nil); d.Problems > 0 {
		t.Errorf("%s", d.text)
	}
}

// TestDoctorOfModule: each trouble of the go command, and what is to be typed.
func TestDoctorOfModule(t *testing.T) {
	t.Parallel()
	const uses = "package main\n\nimport _ \"example.com/x\"\n\nfunc main() {}\n"
	x := map[string]string{"x/go.mod": "module example.com/x\n\ngo 1.25\n", "x/x.go": "package x\n"}
	with := func(files map[string]string) string {
		for name, text := range x {
			if files[name] == "" {
				files[name] = text
			}
		}
		return project(t, files)
	}
	const required = "module example.com/app\n\ngo 1.25\n\nrequire example.com/x v0.0.0\n\nreplace example.com/x => ./x\n"
	for _, c := range []struct {
		name, check, says, fix string
		dir                    string
		env                    []string
		typed                  bool
	}{
		{"go is missing", "go", "there is no go command", "install Go", project(t, map[string]string{"main.go": idleMain}), []string{"PATH=/nowhere"}, false},
		{"go is too old", "go", "requires go >= 1.99", "go env -w GOTOOLCHAIN=auto", project(t, map[string]string{"main.go": idleMain, "go.mod": "module x\n\ngo 1.99\n"}),
			[]string{"GOTOOLCHAIN=local"}, false},
		{"nothing requires it", "module", "example.com/x and is replaced but not required", "go mod tidy", with(map[string]string{"main.go": uses, "go.mod": strings.Replace(required, "require example.com/x v0.0.0\n", "", 1)}), nil, true},
		{"go.mod is out of date", "module", "updates to go.mod needed", "go mod tidy", with(map[string]string{"main.go": uses, "x/go.mod": "module example.com/x\n\ngo 1.25.1\n", "go.mod": required}), nil, true},
		{"vendor is out of date", "module", "inconsistent vendoring", "go mod vendor", with(map[string]string{"main.go": uses, "go.mod": required, "vendor/modules.txt": ""}), nil, true},
		{"it does not load", "graph", "main.go:3:8: package no/such is not in std", "correct that", project(t, map[string]string{"main.go": "package main\n\nimport _ \"no/such\"\n\nfunc main() {}\n"}), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := doctor(t, c.dir, c.env)
			fix := d.line("problem", c.check, c.says)
			if !strings.Contains(fix, c.fix) {
				t.Errorf("fix: %s", fix)
			}
			if c.typed {
				typed(t, c.dir, fix)
				doctor(t, c.dir, c.env).none(c.check, "graph")
			}
		})
	}
}

// TestDoctorOfHooks: commands are looked up as a run does it, and none is run.
func TestDoctorOfHooks(t *testing.T) {
	t.Parallel()
	const hook = "[[hook]]\nname = '%s'\nwatch = ['*.sql']\nrun = %s\n"
	var toml strings.Builder
	for name, run := range map[string]string{
		"listed": "['gen-nothing', 'x']", "worded": "'A=1 gen-nowhere x'", "literal": "'true postgres://dev:geheim@localhost/app'",
		"spilling": "'true -database $DATABASE_URL up'", "well": "'X=$DATABASE_URL true'", "script": "'if true; then touch ran; fi'",
	} {
		fmt.Fprintf(&toml, hook, name, run)
	}
	dir := project(t, map[string]string{"main.go": idleMain, "devguard.toml": toml.String()})
	d := doctor(t, dir, []string{"DATABASE_URL=postgres://dev:geheim@127.0.0.1:1/app?connect_timeout=1"})
	d.line("problem", "hook", "hook listed: command not found: gen-nothing")
	if fix := d.line("problem", "hook", "hook worded: command not found: gen-nowhere"); !strings.HasPrefix(fix, "install gen-nowhere") {
		t.Errorf("fix: %s", fix)
	}
	d.line("warning", "hook", `hook "literal" has a password in its command`)
	if fix := d.line("warning", "hook", `hook "spilling" writes $DATABASE_URL on a command line`); !strings.Contains(fix, "NAME=$DATABASE_URL true") {
		t.Errorf("fix: %s", fix)
	}
	d.line("ok", "hook", `hook "well": true is there`)
	d.line("ok", "hook", `hook "script" is a shell script`)
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a hook was run")
	}
	if strings.Contains(d.text, "geheim") {
		t.Errorf("a password is printed: %s", d.text)
	}
}

// TestDoctorOfLink: of a program with many packages the module that brings most of them is named,
// and what is to be typed leaves it out.
func TestDoctorOfLink(t *testing.T) {
	t.Parallel()
	const packages = 150 // from which on it is said
	files := map[string]string{
		"go.mod":   "module example.com/app\n\ngo 1.25\n\nrequire example.com/x v0.0.0\n\nreplace example.com/x => ./x\n",
		"main.go":  "package main\n\nfunc main() { select {} }\n",
		"heavy.go": "//go:build !noheavy\n\npackage main\n\nimport _ \"example.com/x\"\n",
		"x/go.mod": "module example.com/x\n\ngo 1.25\n",
		"x/x.go":   "package x\n",
	}
	for i := range packages - 2 {
		files["x/x.go"] += fmt.Sprintf("\nimport _ \"example.com/x/p%d\"\n", i)
		files[fmt.Sprintf("x/p%d/p.go", i)] = "package p\n"
	}
	dir := project(t, files)
	d := doctor(t, dir, nil)
	d.line("ok", "link", "each build links ")
	d.line("ok", "link", fmt.Sprintf("example.com/x brings %d packages that nothing else needs; the build tag noheavy leaves it out, with what heavy.go does: %[1]d packages less in all", packages-1))
	var texts strings.Builder
	for _, l := range d.Lines {
		texts.WriteString(l.Text + "\n")
	}
	written := regexp.MustCompile(`write (flags = \[[^]]*\]) below (\[build\]) in (\S+)`).FindStringSubmatch(texts.String())
	if written == nil || d.Problems+d.Warnings > 0 {
		t.Fatalf("%s", d.text)
	}
	write(t, filepath.Join(dir, written[3]), written[2]+"\n"+written[1]+"\n")
	d = doctor(t, dir, nil)
	d.line("ok", "configuration", "devguard.toml is valid")
	d.line("ok", "graph", "1 package beside the standard library")
	if d.Problems+d.Warnings > 0 || strings.Contains(d.text, `"link"`) || strings.Contains(d.text, "example.com/x") {
		t.Errorf("%s", d.text)
	}
}
