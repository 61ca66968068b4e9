//go:build linux

package statedir_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/statedir"
)

// TestMain is also a devguard that holds a lock until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATE_TEST_HOLD"); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	s, err := statedir.Open(dir, "app")
	fmt.Println("open:", err)
	if err == nil && os.Getenv("STATE_TEST_APP") != "" {
		startApps(s)
	}
	if err == nil && os.Getenv("STATE_TEST_ONE") != "" {
		app := exec.Command("sleep", "300")
		app.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		fmt.Println("app:", errors.Join(app.Start(), s.RecordInstance(1, app.Process.Pid)))
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// holder starts such a process and waits until it holds the lock.
func holder(t *testing.T, dir string, env ...string) (*exec.Cmd, []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "STATE_TEST_HOLD="+dir), env...)
	in, err := cmd.StdinPipe() // open: it waits
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); in.Close() })
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		said = append(said, lines.Text())
	}
	if len(said) == 0 || said[0] != "open: <nil>" {
		t.Fatalf("the holder said %q", said)
	}
	return cmd, said[1:]
}

func open(t *testing.T, dir string) *statedir.Dir {
	t.Helper()
	s, err := statedir.Open(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFoldersArePrivateAndIgnored(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, statedir.Folder), 0o755); err != nil { // made by hand
		t.Fatal(err)
	}
	s := open(t, dir)
	if err := errors.Join(saveHook(t, s, "a", "1"), s.AddRun(strings.Repeat("a", 32)), s.RecordInstance(1, os.Getpid()),
		s.KeepPage(statedir.Page{Port: 1, Key: "secret"})); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "app": 0o700, "app/tmp": 0o700, "app/control.json": 0o600,
		"app/lock": 0o600, ".hooks": 0o700, "app/runs.json": 0o600, "app/instances.json": 0o600, "app/page.json": 0o600} {
		st, err := os.Stat(filepath.Join(dir, statedir.Folder, name))
		if err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", name, st.Mode(), err, mode)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, statedir.Folder, ".gitignore")); string(b) != "*\n" {
		t.Errorf(".gitignore has %q", b)
	}
	if b, _ := os.ReadFile(filepath.Join(s.Path(), "control.json")); string(b) != fmt.Sprintf("{\"pid\":%d}\n", os.Getpid()) {
		t.Errorf("control.json has %q", b)
	}
}

func TestSecondDevguardOfOneName(t *testing.T) {
	dir := t.TempDir()
	first, _ := holder(t, dir)
	_, err := statedir.Open(dir, "app")
	var held *statedir.HeldError
	if !errors.As(err, &held) || held.PID != first.Process.Pid || !strings.Contains(held.Hint(), "--name") {
		t.Fatalf("got %v %+v, want the holder's pid %d", err, held, first.Process.Pid)
	}
	other, err := statedir.Open(dir, "other")
	if err != nil {
		t.Fatalf("another name: %v", err)
	}
	other.Close()
	first.Process.Kill()
	first.Wait()
	open(t, dir)
}

func TestClosedLockIsFree(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s, err := statedir.Open(dir, "app")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(s.Path(), "control.json")); err == nil {
			t.Error("control.json is there without a lock")
		}
	}
}

// What devguard executes must not keep the lock when devguard is gone.
func TestChildrenDoNotInheritTheLock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { child.Process.Kill(); child.Wait() }()
	s.Close()
	open(t, dir)
}

func TestBadNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", ".x", "a/b", "a\\b", "a\nb", "embedded", "Embedded", strings.Repeat("x", 300)} {
		_, err := statedir.Open(t.TempDir(), name)
		var e *statedir.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint(), "--name") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatIsRemembered(t *testing.T) {
	dir := t.TempDir()
	run1, run2 := strings.Repeat("1", 32), strings.Repeat("2", 32)
	s := open(t, dir)
	if err := errors.Join(saveHook(t, s, "gen", "f1"), saveHook(t, s, "old", "f2"), saveHook(t, s, "old", ""), s.AddRun(run1), s.AddRun(run1), s.AddRun(run2)); err != nil {
		t.Fatal(err)
	}
	if got := s.PreviousRuns(); len(got) > 0 {
		t.Errorf("this run's ids are previous: %v", got)
	}
	if s.AddRun("") == nil || s.AddRun("a") == nil {
		t.Error("a run id that would match anything was taken")
	}
	s.Close()

	s = open(t, dir)
	for key, want := range map[string]string{"gen": "f1", "old": "", "never": ""} {
		if got := lastHook(t, s, key); got.Fingerprint != want {
			t.Errorf("hook %s: %+v", key, got)
		}
	}
	if got := s.PreviousRuns(); !slices.Equal(got, []string{run1, run2}) {
		t.Errorf("previous runs %v", got)
	}
	if err := s.ForgetRun(run1); err != nil {
		t.Fatal(err)
	}
	s.Close()

	s = open(t, dir)
	if got := s.PreviousRuns(); !slices.Equal(got, []string{run2}) {
		t.Errorf("previous runs %v after one was forgotten", got)
	}
}

// A run that may have left sessions is kept, with those before it, until one ends
// that has found nothing left.
func TestLifeOfARun(t *testing.T) {
	dir := t.TempDir()
	var ids []string
	for _, unclean := range []bool{true, true, false} {
		s := open(t, dir)
		run, err := s.BeginRun()
		if err != nil {
			t.Fatal(err)
		}
		if len(run.ID) != 32 || !slices.Equal(run.Previous, ids) {
			t.Errorf("run %q after %q, want after %q", run.ID, run.Previous, ids)
		}
		if unclean {
			run.Unclean()
		}
		ids = append(ids, run.ID)
		if err := errors.Join(run.End(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if got := open(t, dir).PreviousRuns(); len(got) > 0 {
		t.Errorf("%q are remembered after a clean run", got)
	}
}

// What was killed never ends: its id is there for the next.
func TestRunThatIsKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	run, err := s.BeginRun()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := open(t, dir).PreviousRuns(); !slices.Equal(got, []string{run.ID}) {
		t.Errorf("previous runs %q, want %q", got, run.ID)
	}
}

func TestCorruptFilesCountAsEmpty(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Close()
	for _, name := range []string{"runs.json", "instances.json", "control.json"} {
		if err := os.WriteFile(filepath.Join(s.Path(), name), []byte("{\"a\":"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	if len(s.PreviousRuns()) > 0 || len(s.Leftovers()) > 0 {
		t.Error("something was read of nothing")
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "runs.json") || !strings.Contains(notes, "instances.json") {
		t.Errorf("notes: %s", notes)
	}
	if err := saveHook(t, s, "a", "b"); err != nil {
		t.Error(err)
	}
}

func TestBinariesAndTmp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for gen := range 4 {
		path := s.BinaryPath(gen, "cmd")
		if want := filepath.Join(dir, statedir.Folder, "app", fmt.Sprint(gen), "cmd"); path != want {
			t.Errorf("binary %s, want %s", path, want)
		}
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(2, 3, 9); err != nil {
		t.Fatal(err)
	}
	for gen, want := range []bool{false, false, true, true} {
		if _, err := os.Stat(s.BinaryPath(gen, "cmd")); (err == nil) != want {
			t.Errorf("generation %d: %v", gen, err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.TmpDir(), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir)
	if left, err := os.ReadDir(s.TmpDir()); err != nil || len(left) > 0 {
		t.Errorf("tmp has %v, %v", left, err)
	}
}
