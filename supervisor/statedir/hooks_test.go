//go:build linux

package statedir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/statedir"
)

// saveHook remembers a run as whoever has run it would.
func saveHook(t *testing.T, s *statedir.Dir, key, fingerprint string) error {
	t.Helper()
	lock, err := s.Hooks().Lock(t.Context(), key, func(string, int) { t.Errorf("hook %s is held", key) })
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	return lock.Save(fingerprint)
}

func lastHook(t *testing.T, s *statedir.Dir, key string) statedir.HookRun {
	t.Helper()
	run, err := s.Hooks().Last(key)
	if err != nil {
		t.Error(err)
	}
	return run
}

// named opens the folder of another name in the same project.
func named(t *testing.T, dir, name string) *statedir.Dir {
	t.Helper()
	s, err := statedir.Open(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestHookIsOfAllNames(t *testing.T) {
	dir := t.TempDir()
	api, worker := named(t, dir, "api"), named(t, dir, "worker")
	lock, err := api.Hooks().Lock(t.Context(), "migrate", nil)
	if err != nil {
		t.Fatal(err)
	}
	told, took := make(chan string, 2), make(chan statedir.HookRun)
	go func() {
		lock, err := worker.Hooks().Lock(t.Context(), "migrate", func(name string, pid int) {
			if pid == os.Getpid() {
				told <- name
			}
		})
		if err != nil {
			t.Error(err)
		}
		took <- lastHook(t, worker, "migrate")
		lock.Release()
	}()
	if name := <-told; name != "api" {
		t.Errorf("held by %q", name)
	}
	if err := saveHook(t, worker, "generate", "f"); err != nil { // another hook waits for nothing
		t.Error(err)
	}
	if err := lock.Save("f1"); err != nil {
		t.Error(err)
	}
	lock.Release()
	if run := <-took; run.Fingerprint != "f1" || run.Count != 1 || run.Name != "api" || run.PID != os.Getpid() {
		t.Errorf("the second finds %+v", run)
	}
	if len(told) > 0 {
		t.Error("told twice")
	}
}

func TestWaitForAHookEnds(t *testing.T) {
	dir := t.TempDir()
	api, worker := named(t, dir, "api"), named(t, dir, "worker")
	lock, err := api.Hooks().Lock(t.Context(), "migrate", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = worker.Hooks().Lock(ctx, "migrate", func(string, int) { cancel(errors.New("enough")) })
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
}

// A hook's memory that cannot be read counts as empty, which is said.
func TestCorruptHookCountsAsEmpty(t *testing.T) {
	s := open(t, t.TempDir())
	if err := saveHook(t, s, "a", "b"); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(s.Path()), ".hooks", "*.json"))
	if len(files) != 1 || os.WriteFile(files[0], []byte("{"), 0o600) != nil {
		t.Fatalf("files: %v", files)
	}
	if run, err := s.Hooks().Last("a"); err == nil || !strings.Contains(err.Error(), files[0]) || run != (statedir.HookRun{}) {
		t.Errorf("%+v, %v", run, err)
	}
	if err := saveHook(t, s, "a", "c"); err != nil || lastHook(t, s, "a").Fingerprint != "c" {
		t.Errorf("it stays like that: %v", err)
	}
}
