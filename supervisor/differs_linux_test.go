package supervisor

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCopiesWhatCannotBeLinked: the name below /proc is of another file system.
func TestCopiesWhatCannotBeLinked(t *testing.T) {
	name := filepath.Join(t.TempDir(), "kept")
	if err := os.Link("/proc/self/exe", name); err == nil {
		t.Fatal("it can be linked")
	}
	if err := linkOrCopy("/proc/self/exe", name); err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.Stat("/proc/self/exe"); err != nil || got.Size() != want.Size() || got.Mode().Perm() != 0o700 {
		t.Errorf("%d bytes, %v, %v", got.Size(), got.Mode(), err)
	}
}
