//go:build linux

package statedir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/statedir"
	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// mount gives the test a file system of its own. Where that is not allowed the
// test cannot be done: root reads and writes whatever the permissions.
func mount(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		testneed.Skip(t, "mount", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func wantError(t *testing.T, err, want error, words ...string) {
	t.Helper()
	var e *statedir.Error
	if !errors.As(err, &e) || want != nil && !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, w := range append(words, statedir.Folder) {
		if !strings.Contains(e.Error()+" "+e.Hint(), w) {
			t.Errorf("%q is not said: %v (%s)", w, e, e.Hint())
		}
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	_, err := statedir.Open(mount(t, unix.MS_RDONLY, ""), "app")
	wantError(t, err, syscall.EROFS, "writable")
}

func TestNoexecFileSystem(t *testing.T) {
	_, err := statedir.Open(mount(t, unix.MS_NOEXEC, ""), "app")
	wantError(t, err, nil, "noexec", "remount")
}

func TestDiskFull(t *testing.T) {
	dir := mount(t, 0, "size=64k")
	s := open(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	wantError(t, saveHook(t, s, "a", "b"), syscall.ENOSPC, "space")
	if err := os.Remove(filepath.Join(dir, "big")); err != nil {
		t.Fatal(err)
	}
	if err := saveHook(t, s, "a", "b"); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestFileInPlaceOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, statedir.Folder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := statedir.Open(dir, "app")
	wantError(t, err, nil, "a file is in its place", "move")
}

func TestDirectoryThatIsGone(t *testing.T) {
	_, err := statedir.Open(filepath.Join(t.TempDir(), "gone"), "app")
	wantError(t, err, syscall.ENOENT)
}
