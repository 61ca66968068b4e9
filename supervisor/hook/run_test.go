//go:build linux

package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// asSupervisor makes the test binary a process that runs one hook, to be killed.
const asSupervisor = "HOOK_TEST_SUPERVISOR"

func TestMain(m *testing.M) {
	if script := os.Getenv(asSupervisor); script != "" {
		Run(context.Background(), Spec{Name: "victim", Shell: script})
		return
	}
	os.Exit(m.Run())
}

// sh runs a script as a hook and returns what it printed.
func sh(t *testing.T, ctx context.Context, script string, with ...func(*Spec)) (Result, string) {
	t.Helper()
	out := newOutput(t)
	spec := Spec{Name: "h", Shell: script, Dir: t.TempDir(), Output: out.file}
	for _, f := range with {
		f(&spec)
	}
	res := Run(ctx, spec)
	return res, out.String()
}

// output is a file that is read while a hook writes it.
type output struct{ file *os.File }

func newOutput(t *testing.T) output {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return output{f}
}

func (o output) String() string {
	b, err := os.ReadFile(o.file.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// eventually polls until ok or 10 s have passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// gone reports whether the process has ended; a zombie counts, because who
// reaps an orphan is not the hook's business.
func gone(pid int) bool { return !osproc.Alive(pid) }

// pidIn reads the pid that a script wrote to a file.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	var pid int
	eventually(t, "a pid in "+file, func() bool {
		b, _ := os.ReadFile(file)
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && bytes.HasSuffix(b, []byte("\n"))
	})
	return pid
}

// noChildren fails when the test process still has a child.
func noChildren(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var ws unix.WaitStatus
		if pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
			t.Errorf("a child is left: %d %v", pid, err)
		}
	})
}

func TestRunSucceeds(t *testing.T) {
	noChildren(t)
	res, out := sh(t, t.Context(), `echo out; echo err >&2; pwd -P`)
	if res.Err != nil || res.Code != 0 || res.Signal != "" {
		t.Fatalf("%+v", res)
	}
	if !strings.HasPrefix(out, "out\nerr\n/") {
		t.Errorf("output %q", out)
	}
	if res.Took <= 0 {
		t.Errorf("took %v", res.Took)
	}
}

func TestRunEnvironment(t *testing.T) {
	noChildren(t)
	script := `printf '%s|' "$DEVGUARD" "$DEVGUARD_HOOK" "$DEVGUARD_CHANGED" "$MINE" "$PWD"; readlink /proc/self/fd/0; (: </dev/tty) 2>/dev/null || echo no tty`
	var dir string
	res, out := sh(t, t.Context(), script, func(s *Spec) {
		s.Env = append(os.Environ(), "DEVGUARD_HOOK=old", "MINE=1")
		s.Changed = []string{"prisma/schema.prisma", "with space.prisma"}
		dir = s.Dir
	})
	want := "1|h|prisma/schema.prisma\nwith space.prisma|1|" + dir + "|/dev/null\nno tty\n"
	if res.Err != nil || out != want {
		t.Errorf("got %q, want %q (%v)", out, want, res.Err)
	}
}

func TestRunThousandsOfChanges(t *testing.T) {
	changed := make([]string, 5000)
	for i := range changed {
		changed[i] = fmt.Sprintf("migrations/%04d_a_long_descriptive_name.sql", i)
	}
	res, out := sh(t, t.Context(), `echo "[$DEVGUARD_CHANGED]"`, func(s *Spec) { s.Changed = changed })
	if res.Err != nil || out != "[]\n" {
		t.Errorf("%v %.40q", res.Err, out)
	}
}

func TestRunCommandAsItIs(t *testing.T) {
	noChildren(t)
	res, out := sh(t, t.Context(), "", func(s *Spec) { s.Command = []string{"echo", "$HOME", "a;b"} })
	if res.Err != nil || out != "$HOME a;b\n" {
		t.Errorf("%v %q", res.Err, out)
	}
}

func TestRunFails(t *testing.T) {
	missing := "no-such-program-of-ours"
	tests := map[string]struct {
		spec         Spec
		code         int
		signal       string
		err, hint    string
		wantNotFound bool
	}{
		"exit code":        {spec: Spec{Shell: "echo why; exit 3"}, code: 3, err: "hook h failed with exit code 3"},
		"signal":           {spec: Spec{Shell: "kill -KILL $$"}, code: -1, signal: "SIGKILL", err: "hook h was killed by SIGKILL"},
		"shell, not found": {spec: Spec{Shell: "A=1 " + missing + " x"}, code: 127, err: "hook h: command not found: " + missing, hint: "install " + missing, wantNotFound: true},
		"shell, later one": {spec: Spec{Shell: "true && " + missing}, code: 127, err: "hook h: command not found (exit code 127)", hint: "PATH is /", wantNotFound: true},
		"shell, not executable": {spec: Spec{Shell: "/dev/null"}, code: 126, err: "hook h: permission denied: its command is not executable (exit code 126)",
			hint: "chmod +x"},
		"list, not found":  {spec: Spec{Command: []string{missing}}, code: -1, err: "hook h: command not found: " + missing, hint: "PATH is /", wantNotFound: true},
		"npx, not found":   {spec: Spec{Command: []string{"npx"}, Env: []string{"PATH=/nowhere"}}, code: -1, err: "hook h: command not found: npx", hint: "npx comes with Node.js", wantNotFound: true},
		"sh, not found":    {spec: Spec{Shell: "true", Env: []string{"PATH="}}, code: -1, err: "hook h: command not found: sh", hint: "PATH is empty", wantNotFound: true},
		"path, not found":  {spec: Spec{Command: []string{"./gen.sh"}}, code: -1, err: "hook h: cannot run ./gen.sh: there is no such program, or it is not executable", hint: "starts at the hook's directory", wantNotFound: true},
		"directory":        {spec: Spec{Shell: "true", Dir: "/no/such/dir"}, code: -1, err: "hook h: its directory: stat /no/such/dir: no such file or directory"},
		"not a directory":  {spec: Spec{Shell: "true", Dir: "/dev/null"}, code: -1, err: "hook h: its directory: /dev/null is not a directory"},
		"arguments beyond": {spec: Spec{Command: []string{"echo", strings.Repeat("x", 3<<20)}}, code: -1, err: "start hook h: fork/exec /usr/bin/echo: argument list too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noChildren(t)
			res, out := sh(t, t.Context(), "", func(s *Spec) {
				s.Shell, s.Command, s.Env = tt.spec.Shell, tt.spec.Command, tt.spec.Env
				if tt.spec.Dir != "" {
					s.Dir = tt.spec.Dir
				}
			})
			if res.Err == nil || res.Code != tt.code || res.Signal != tt.signal {
				t.Fatalf("%+v", res)
			}
			if got := strings.Replace(res.Err.Error(), " /bin/echo", " /usr/bin/echo", 1); got != tt.err {
				t.Errorf("got  %s\nwant %s", got, tt.err)
			}
			if errors.Is(res.Err, exec.ErrNotFound) != tt.wantNotFound {
				t.Errorf("not found: %v", !tt.wantNotFound)
			}
			var h interface{ Hint() string }
			if errors.As(res.Err, &h) != (tt.hint != "") || h != nil && !strings.Contains(h.Hint(), tt.hint) {
				t.Errorf("hint %+v, want %q", h, tt.hint)
			}
			if name == "exit code" && out != "why\n" {
				t.Errorf("output %q", out)
			}
		})
	}
}

// The hook's PATH and directory decide, not ours.
func TestRunLooksInTheHooksOwnPath(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	bin := filepath.Join(dir, "node_modules", ".bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "gen"), []byte("#!/bin/sh\necho \"$0\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gen", "./node_modules/.bin/gen"} {
		res, out := sh(t, t.Context(), "", func(s *Spec) {
			s.Dir, s.Command, s.Env = dir, []string{name}, []string{"PATH=node_modules/.bin:/usr/bin:/bin"}
		})
		if res.Err != nil || out != filepath.Join(bin, "gen")+"\n" {
			t.Errorf("%s: %v %q", name, res.Err, out)
		}
	}
}

func TestOutputComesWhileRunning(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	out := newOutput(t)
	done := make(chan Result, 1)
	go func() {
		done <- Run(t.Context(), Spec{Name: "h", Dir: dir, Output: out.file,
			Shell: `echo first; until [ -e go ]; do sleep 0.01; done; echo last`})
	}()
	eventually(t, "the first line", func() bool { return out.String() == "first\n" })
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if res := <-done; res.Err != nil || out.String() != "first\nlast\n" {
		t.Errorf("%v %q", res.Err, out.String())
	}
}

func TestOutputGoesToAFileDirectly(t *testing.T) {
	noChildren(t)
	res, out := sh(t, t.Context(), `[ ! -p /dev/stdout ] && echo direct`)
	if res.Err != nil || out != "direct\n" {
		t.Errorf("%v file %q", res.Err, out)
	}
}

func TestBackgroundProcessIsKilled(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	res, _ := sh(t, t.Context(), `sleep 1000 & echo $! >pid`, func(s *Spec) { s.Dir = dir })
	if res.Err != nil || res.Took > 5*time.Second {
		t.Errorf("%v after %v", res.Err, res.Took)
	}
	pid := pidIn(t, filepath.Join(dir, "pid"))
	eventually(t, "the end of the background process", func() bool { return gone(pid) })
}

func TestEscapedProcessDoesNotHold(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	// It holds the output open, and writes to it for ever.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	res, _ := sh(t, t.Context(), `setsid sh -c 'echo $$ >pid; while :; do echo noise; done' & until [ -s pid ]; do sleep 0.01; done`,
		func(s *Spec) { s.Dir, s.Output = dir, w })
	w.Close()
	pid := pidIn(t, filepath.Join(dir, "pid"))
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		t.Error(err)
	}
	if res.Err != nil || res.Took > 5*time.Second {
		t.Errorf("%v after %v", res.Err, res.Took)
	}
	eventually(t, "its end", func() bool { return gone(pid) })
}

// cancelled starts the script, cancels once it has written its pid, and returns
// the result and how long the cancel took.
func cancelled(t *testing.T, script string) (res Result, out string, took time.Duration) {
	t.Helper()
	noChildren(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printed := newOutput(t)
	done := make(chan Result, 1)
	go func() {
		done <- Run(ctx, Spec{Name: "h", Shell: script, Dir: dir, Output: printed.file})
	}()
	pid := pidIn(t, filepath.Join(dir, "pid"))
	begin := time.Now()
	cancel()
	res = <-done
	took = time.Since(begin)
	eventually(t, "the end of the inner process", func() bool { return gone(pid) })
	return res, printed.String(), took
}

func TestCancelLeavesEarly(t *testing.T) {
	res, _, took := cancelled(t, `sleep 1000 & echo $! >pid; wait`)
	if !errors.Is(res.Err, context.Canceled) || res.Signal != "SIGTERM" || took > Grace {
		t.Errorf("%+v after %v", res, took)
	}
}

func TestCancelGivesTheWholeGroupTime(t *testing.T) {
	// The shell dies of SIGTERM at once; what it runs cleans up.
	res, out, took := cancelled(t, `sh -c 'trap "sleep 0.3; echo rolled back; exit" TERM; echo $$ >pid; while :; do sleep 0.01; done'; true`)
	if !errors.Is(res.Err, context.Canceled) || !strings.HasSuffix(out, "rolled back\n") || took > Grace {
		t.Errorf("%+v %q after %v", res, out, took)
	}
}

func TestCancelKillsTheStubborn(t *testing.T) {
	res, _, took := cancelled(t, `trap "" TERM; sh -c 'echo $$ >pid; while :; do sleep 0.01; done'; true`)
	if !errors.Is(res.Err, context.Canceled) || res.Signal != "SIGKILL" || took < Grace {
		t.Errorf("%+v after %v", res, took)
	}
}

func TestCancelBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, out := sh(t, ctx, `echo ran`)
	if !errors.Is(res.Err, context.Canceled) || out != "" || res.Code != -1 {
		t.Errorf("%+v %q", res, out)
	}
}

// Whoever runs the hook is killed: its whole group dies, not the shell alone.
func TestHookDiesWithItsSupervisor(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	script := `cd ` + dir + `; echo $$ >shell; trap "" HUP TERM; sh -c 'echo $$ >pid; sleep 1000; true'; true`
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asSupervisor+"="+script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shell, inner := pidIn(t, filepath.Join(dir, "shell")), pidIn(t, filepath.Join(dir, "pid"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "the end of the hook's shell", func() bool { return gone(shell) })
	eventually(t, "the end of what the shell ran", func() bool { return gone(inner) })
	eventually(t, "the end of its group", func() bool { return !osproc.GroupAlive(shell) })
}
