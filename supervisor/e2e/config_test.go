package e2e_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Words that a verb would silently leave out are an error.
func TestWordsThatNobodyReads(t *testing.T) {
	for line, want := range map[string]string{
		"init ./sub":     "devguard init -C DIR",
		"init -- x":      "devguard init -C DIR",
		"-- npm run dev": "devguard run -- COMMAND",
	} {
		cmd := exec.Command(binary(t), strings.Fields(line)...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", line, err, out)
		}
	}
}

// A package in devguard.toml that does not exist is an error of the build: the
// app goes on, and the repair is seen.
func TestConfigurationThatNamesNoPackage(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{"cmd/app/main.go": server, "devguard.toml": "[app]\npackage = './cmd/app'\n"})
	d := run(t, dir, []string{"PORT=" + port})
	d.ready()
	toml := filepath.Join(dir, "devguard.toml")

	mark := d.mark()
	edit(t, toml, "./cmd/app", "example.com/app/nosuch")
	if l := d.wait(mark, "build failed", nil); l.int("serving") != 1 {
		t.Errorf("serving: %s", l.Raw)
	}
	d.serves("http://127.0.0.1:"+port, "v1")

	mark = d.mark()
	edit(t, toml, "example.com/app/nosuch", "./cmd/app")
	d.wait(mark, "instance ready", nil)
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A command that does not exist is found out before the one that runs is
// stopped for it.
func TestConfigurationThatNamesNoProgram(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"devguard.toml": "[app]\ncommand = ['sleep', '3600']\n"})
	d := run(t, dir, nil)
	d.ready()
	toml := filepath.Join(dir, "devguard.toml")
	mark := d.mark()
	edit(t, toml, "'sleep'", "'no-such-program'")
	refused := d.wait(mark, "restart skipped", nil)
	if refused.str("level") != "ERROR" || refused.int("serving") != 1 || refused.str("hint") == "" {
		t.Errorf("says %s", refused.Raw)
	}
	edit(t, toml, "'no-such-program', '3600'", "'sleep', '3599'")
	d.wait(mark, "instance started", nil)
	if n := d.count(mark, "instance stopping"); n != 1 {
		t.Errorf("stopped %d times", n)
	}
}
