package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

func TestOtherMajorVersion(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
	if err := os.WriteFile(filepath.Join(l.data(), "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), Options{Project: project, settings: noSync})
	wantError(t, err, "made by PostgreSQL 9", l.data(), "install PostgreSQL 9", "remove that folder")
	if _, err := os.Stat(filepath.Join(l.data(), "base")); err != nil {
		t.Errorf("the data is gone: %v", err)
	}
	if err := os.RemoveAll(l.data()); err != nil { // as advised
		t.Fatal(err)
	}
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
}

func TestForeignDataFolder(t *testing.T) {
	project, l := newProject(t)
	if err := os.MkdirAll(l.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.data(), "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), Options{Project: project, settings: noSync})
	wantError(t, err, l.data(), "not a database cluster", "move the folder away")
	if err := os.Rename(l.data(), l.data()+".away"); err != nil { // as advised
		t.Fatal(err)
	}
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
}

// TestDataFolderOfOthers has rights that PostgreSQL refuses; what is advised makes it start.
func TestDataFolderOfOthers(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
	if err := os.Chmod(l.data(), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), Options{Project: project, settings: noSync})
	wantError(t, err, "invalid permissions", "run chmod 700 on the data folder")
	if err := os.Chmod(l.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
}

func TestNothingInstalled(t *testing.T) {
	project, _ := newProject(t)
	_, err := Acquire(t.Context(), Options{Project: project, find: none, settings: noSync,
		LookPath: func(string) (string, error) { return "", errors.New("not found") }})
	wantError(t, err, "no PostgreSQL server programs", "no npm", "install")
	if !errors.Is(err, ErrNoBinaries) {
		t.Errorf("%v is not ErrNoBinaries", err)
	}
}

func none(context.Context, *Account) []Binaries { return nil }

// TestServerProgramFails runs scripts in place of PostgreSQL's programs, which fail as those do on
// a full disk.
func TestServerProgramFails(t *testing.T) {
	for name, test := range map[string]struct {
		initdb, postgres string
		want             []string
	}{
		"initdb on a full disk": {"echo initdb: error: could not write: No space left on device; exit 1", "",
			[]string{"could not write", "disk is full"}},
		"server on a full disk": {`echo 15 > "$2/PG_VERSION"; : > "$2/postgresql.conf"`,
			"echo '2026-01-01 [1] FATAL:  could not write lock file: No space left on device' >&2; exit 1",
			[]string{"could not write lock file", "disk is full", "server.log"}},
		"server library missing": {`echo 15 > "$2/PG_VERSION"; : > "$2/postgresql.conf"`,
			"echo 'postgres: error while loading shared libraries: libicuuc.so.60' >&2; exit 127",
			[]string{"error while loading shared libraries: libicuuc.so.60", "exit status 127"}},
	} {
		t.Run(name, func(t *testing.T) {
			project, l := newProject(t)
			b := Binaries{Dir: scripts(t, l, test.initdb, test.postgres), Version: "15.0", Major: 15}
			_, err := Acquire(t.Context(), Options{Project: project, settings: noSync,
				find: func(context.Context, *Account) []Binaries { return []Binaries{b} }})
			wantError(t, err, test.want...)
		})
	}
}

// scripts writes them where the server's account reaches them.
func scripts(t *testing.T, l layout, initdb, postgres string) string {
	t.Helper()
	dir := filepath.Join(l.Home, "fake")
	if err := mkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"initdb": initdb, "postgres": postgres} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRelativeProject(t *testing.T) {
	_, err := Acquire(t.Context(), Options{Project: "here"})
	wantError(t, err, "not absolute")
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(logtest.Text(err), part) {
			t.Errorf("the error does not say %q: %s", part, logtest.Text(err))
		}
	}
}

// TestOfAnotherUser is what sudo leaves: a state folder of root's.
func TestOfAnotherUser(t *testing.T) {
	l := layout{State: "/p/.devguard"}
	wantError(t, l.belongs(&os.PathError{Op: "open", Path: l.share(), Err: os.ErrPermission}), "belongs to another user", "chown")
}

// TestProgramsThatDoNotRun: no permission, as on a noexec file system.
func TestProgramsThatDoNotRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := probe(t.Context(), nil, dir)
	wantError(t, err, "cannot be run", "permission denied")
	if found := probeAll(t.Context(), nil, []string{dir}); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
