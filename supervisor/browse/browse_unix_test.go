//go:build unix

package browse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpener(t *testing.T) {
	for _, c := range []struct {
		name, system string
		uid          int
		env          string
		want         string
	}{
		{"X11", "linux", 1000, "DISPLAY", "xdg-open"},
		{"Wayland", "linux", 1000, "WAYLAND_DISPLAY", "xdg-open"},
		{"no display", "linux", 1000, "BROWSER", "there is no display"},
		{"root", "linux", 0, "DISPLAY", "root has no browser"},
		{"macOS", "darwin", 501, "", "open"},
		{"root on macOS", "darwin", 0, "", "root has no browser"},
		{"Windows", "windows", -1, "", "rundll32"},
	} {
		got, _, err := opener(c.system, c.uid, func(key string) string {
			if key == c.env {
				return ":0"
			}
			return ""
		})
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestOpen: the opener is given the address, and one that fails or is missing is an error.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	display := func(string) string { return ":0" }
	script := func(text string) {
		for _, name := range []string{"xdg-open", "open"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir)
	asUser := func() error { return openAs(1000, "http://127.0.0.1:1/#x", display) }
	if err := asUser(); err == nil || !strings.Contains(err.Error(), "no browser can be opened") {
		t.Errorf("without one: %v", err)
	}
	script(`echo "$@" > "` + dir + `/opened"`)
	if err := asUser(); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "opened")); string(got) != "http://127.0.0.1:1/#x\n" {
		t.Errorf("opened %q", got)
	}
	script("exit 3")
	if err := asUser(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("that fails: %v", err)
	}
}
