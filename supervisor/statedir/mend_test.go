//go:build linux

package statedir_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/statedir"
)

// noCache takes away the place of the lock that is not in the folder.
func noCache(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
}

func clean(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, statedir.Folder)); err != nil {
		t.Fatal(err)
	}
}

func heldBy(t *testing.T, err error, pid int) {
	t.Helper()
	var held *statedir.HeldError
	if !errors.As(err, &held) || held.PID != pid {
		t.Errorf("got %v, want that pid %d has the name", err, pid)
	}
}

func TestRemovedFolderFreesNoName(t *testing.T) {
	dir := t.TempDir()
	first, _ := holder(t, dir)
	clean(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		_, err := statedir.Open(path, "app")
		heldBy(t, err, first.Process.Pid)
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

// Nothing is left in the cache of a devguard that has ended.
func TestLockInTheCacheGoes(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	s, err := statedir.Open(t.TempDir(), "app")
	if err != nil {
		t.Fatal(err)
	}
	locks := filepath.Join(cache, "devguard", "locks")
	if files, err := os.ReadDir(locks); len(files) != 1 {
		t.Errorf("while it runs: %v %v", files, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(locks); err != nil || len(files) > 0 {
		t.Errorf("after it: %v %v", files, err)
	}
}

func TestRemovedFolderIsMadeWhole(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	app := exec.Command("sleep", "60")
	app.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { app.Process.Kill(); app.Wait() }()
	if err := errors.Join(saveHook(t, s, "gen", "f1"), s.AddRun(strings.Repeat("1", 32)), s.RecordInstance(1, app.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	if mended, err := s.Mend(); mended || err != nil {
		t.Errorf("of a whole folder: %v %v", mended, err)
	}
	want := contents(t, dir)
	for _, part := range []string{"", ".gitignore", "app", "app/lock", "app/control.json"} {
		if err := os.RemoveAll(filepath.Join(dir, statedir.Folder, part)); err != nil {
			t.Fatal(err)
		}
		if mended, err := s.Mend(); !mended || err != nil {
			t.Errorf("without %q: %v %v", part, mended, err)
		}
		if got := contents(t, dir); got != want {
			t.Errorf("without %q it is made like this:\n%s\nwant\n%s", part, got, want)
		}
		_, err := statedir.Open(dir, "app")
		heldBy(t, err, os.Getpid())
	}
}

// contents are the names, modes and texts of all that is in the folder.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(dir, statedir.Folder), func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		text := ""
		if err == nil && !e.IsDir() {
			text = readFile(t, path)
		}
		all.WriteString(info.Mode().String() + " " + path + " " + text + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Without the lock in the cache the name can be taken: whoever finds that leaves the
// folder alone.
func TestRemovedFolderIsAnothersNow(t *testing.T) {
	noCache(t)
	dir := t.TempDir()
	s := open(t, dir)
	clean(t, dir)
	second, _ := holder(t, dir)
	before := contents(t, dir)
	mended, err := s.Mend()
	if mended {
		t.Error("it has taken the folder")
	}
	heldBy(t, err, second.Process.Pid)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now := contents(t, dir); now != before {
		t.Errorf("it has written into the folder:\n%s\nbefore\n%s", now, before)
	}
}

// A folder whose lock alone was removed still says who runs its app: that is no
// leftover.
func TestInstanceOfAnotherDevguardIsNoLeftover(t *testing.T) {
	noCache(t)
	dir := t.TempDir()
	first, said := holder(t, dir, "STATE_TEST_ONE=1")
	if len(said) != 1 || said[0] != "app: <nil>" {
		t.Fatalf("the holder said %q", said)
	}
	if err := os.Remove(filepath.Join(dir, statedir.Folder, "app", "lock")); err != nil {
		t.Fatal(err)
	}
	_, err := statedir.Open(dir, "app")
	heldBy(t, err, first.Process.Pid)
	if text := readFile(t, filepath.Join(dir, statedir.Folder, "app", "control.json")); !strings.Contains(text, "pid") || strings.Contains(text, "\":0") {
		t.Errorf("control.json is %s", text)
	}
	first.Process.Kill()
	first.Wait()
	open(t, dir)
}
