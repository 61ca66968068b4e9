package fastbuild

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestSettingsByAVersionManager: the program on PATH stays, and runs another go command.
func TestSettingsByAVersionManager(t *testing.T) {
	dir := t.TempDir()
	answer := func(version string) {
		t.Helper()
		write(t, filepath.Join(dir, "answer"), `{"GOROOT": "/go", "GOMOD": "/m/go.mod", "GOVERSION": "`+version+`", "GOTMPDIR": "`+t.TempDir()+`"}`)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\ncat '"+dir+"/answer'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	p := &Plan{dir: dir, environ: os.Environ(), settings: goEnv{"GOROOT": "/go", "GOMOD": "/m/go.mod", "GOVERSION": "go1.26.1"}}
	for _, tt := range []struct {
		version string
		kind    Kind // "" when builds go on
	}{
		{"go1.26.1", ""}, {"go1.26.2", Settings}, {"go1.99.0", Setting}, {"go1.26.1", ""},
	} {
		answer(tt.version)
		err := p.sameSettings(t.Context(), t.TempDir())
		var refusal *Refusal
		if errors.As(err, &refusal); tt.kind == "" && err != nil || tt.kind != "" && (refusal == nil || refusal.Kind != tt.kind) {
			t.Errorf("%s: %v, want %q", tt.version, err, tt.kind)
		}
	}
}

func TestReleasesThatWereCompared(t *testing.T) {
	for version, want := range map[string]bool{
		"go1.26": true, "go1.26.8": true, "go1.24.9": false, "go1.27.0": false, "go1.260": false, "go1.26rc1": false,
		"go1.26.1 X:nodwarf5": false, "devel go1.26-abcdef": false, "go1.26.1-microsoft": false, "": false,
	} {
		if got := compared(version); got != want {
			t.Errorf("%q: %t", version, got)
		}
	}
}
