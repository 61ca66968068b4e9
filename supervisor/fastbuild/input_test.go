package fastbuild

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

// What else is missing may be missing: that it comes is what asks for the go command.
func TestSourceMustBeThere(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.go")
	if _, err := take([]input{{name, goSource}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := take([]input{{name, content}}); err != nil {
		t.Error(err)
	}
}
