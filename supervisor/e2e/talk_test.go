package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ask runs a verb that asks a running devguard, in dir.
func ask(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = dir
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Of two devguards the one that is named is asked; without a name both are listed.
func TestTalkToOneOfTwo(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server})
	for _, name := range []string{"api", "worker"} {
		d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", name)
		d.ready()
		st, err := os.Stat(filepath.Join(dir, ".devguard", name, "control.json"))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st, err)
		}
	}
	_, stderr, code := ask(t, dir, "status")
	if code != 1 || !strings.Contains(stderr, ": api, worker") || !strings.Contains(stderr, "hint: say which: --name api") {
		t.Errorf("%d %s", code, stderr)
	}
	if stdout, stderr, code := ask(t, dir, "status", "--name", "worker"); code != 0 || !strings.HasPrefix(stdout, "worker ") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
}

// --control says where devguard is asked; an address that others can reach is refused.
func TestControlAddress(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server})
	if _, stderr, code := ask(t, dir, "run", "--control", "0.0.0.0:0"); code != 2 || !strings.Contains(stderr, "hint: write one like") {
		t.Errorf("%d %s", code, stderr)
	}
	address := "127.0.0.1:" + freePort(t)
	d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", "app", "--control", address)
	d.ready()
	if c := client(t, dir); c.URL != "http://"+address {
		t.Errorf("asked at %s, want %s", c.URL, address)
	}
}

// logs -f goes on until devguard ends, and a control.json that is left is not believed.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server})
	d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", "app")
	d.ready()
	follow := exec.Command(binary(t), "logs", "-f", "--json")
	follow.Dir = dir
	pipe, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	heard := func(msg string) {
		t.Helper()
		for lines.Scan() {
			var l struct{ Msg string }
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Errorf("%q: %v", lines.Text(), err)
			}
			if l.Msg == msg {
				return
			}
		}
		t.Errorf("no %q", msg)
	}
	heard("instance ready")
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	heard("instance ready")
	control := filepath.Join(dir, ".devguard", "app", "control.json")
	left := readFile(t, control)
	d.cmd.Process.Kill()
	<-d.ended
	for lines.Scan() {
	}
	if err := follow.Wait(); err != nil {
		t.Error(err)
	}
	write(t, control, left)
	if _, stderr, code := ask(t, dir, "status"); code != 1 || !strings.Contains(stderr, "no devguard runs") {
		t.Errorf("%d %s", code, stderr)
	}
}
