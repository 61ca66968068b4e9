package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestFetchedThroughNpm really fetches: npm keeps the package in its cache.
func TestFetchedThroughNpm(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	if _, err := exec.LookPath("npm"); err != nil {
		testneed.Skip(t, "npm", err)
	}
	s := acquire(t, Options{Project: project, find: none, settings: noSync})
	if got := query(t, s.URL(), "show server_version"); got[0] != "17.10" {
		t.Errorf("server_version = %q", got)
	}
	s.Close()
	awaitStopped(t, l)
	again := acquire(t, Options{Project: project, find: none, settings: noSync, LookPath: nothing}) // from the cache
	query(t, again.URL(), "select 1")
	if left, _ := filepath.Glob(filepath.Join(l.Cache, "fetch-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func nothing(string) (string, error) { return "", os.ErrNotExist }

func TestVerifyRefusesOtherBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.tgz")
	if err := os.WriteFile(path, []byte("not it"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, verify(path, platforms["linux/amd64"].integrity), "not the one devguard knows")
}

func TestNpmFails(t *testing.T) {
	project, l := newProject(t)
	npm := filepath.Join(t.TempDir(), "npm")
	if err := os.WriteFile(npm, []byte("#!/bin/sh\necho npm error network ENOTFOUND; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), Options{Project: project, find: none, settings: noSync,
		LookPath: func(string) (string, error) { return npm, nil }})
	wantError(t, err, "ENOTFOUND", "install it yourself")
	if left, _ := filepath.Glob(filepath.Join(l.Cache, "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// tgz makes an npm tarball of names and contents.
func tgz(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpackMakesLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	text := tgz(t, [2]string{"package/native/lib/liba.so.1.2", "x"},
		[2]string{"package/native/pg-symlinks.json", `[{"source":"native/lib/liba.so.1.2","target":"native/lib/liba.so.1"}]`})
	if err := unpackBytes(t, text, dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "native/lib/liba.so.1")); string(got) != "x" {
		t.Errorf("the link leads to %q, %v", got, err)
	}
}

func unpackBytes(t testing.TB, text []byte, dir string) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.tgz")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return unpack(path, dir)
}

// FuzzUnpack looks for a file outside of the folder.
func FuzzUnpack(f *testing.F) {
	f.Add("package/a", "package/native/pg-symlinks.json", `[{"source":"a","target":"b"}]`)
	f.Add("package/../../evil", "package/x", "")
	f.Add("/evil", "package/native/pg-symlinks.json", `[{"source":"../../x","target":"../../evil"}]`)
	f.Fuzz(func(t *testing.T, a, b, text string) {
		parent := t.TempDir()
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, name := range []string{a, b} {
			if w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}) != nil {
				return
			}
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
		}
		w.Close()
		dir := filepath.Join(parent, "deep", "out")
		if untar(tar.NewReader(&buf), dir) == nil {
			_ = hydrate(dir)
		}
		for _, at := range []string{parent, filepath.Join(parent, "deep")} {
			if entries, _ := os.ReadDir(at); len(entries) > 1 {
				t.Errorf("a file outside of the folder: %v", entries)
			}
		}
	})
}

func FuzzParseVersion(f *testing.F) {
	f.Add("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n")
	f.Add("postgres (PostgreSQL) 18beta1")
	f.Add("postgres (EnterpriseDB) 9")
	f.Fuzz(func(t *testing.T, s string) {
		version, major, err := parseVersion(s)
		if err == nil && (version == "" || major < 0) {
			t.Errorf("%q is version %q, major %d", s, version, major)
		}
	})
}

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]int{"postgres (PostgreSQL) 15.18 (Debian)": 15, "postgres (PostgreSQL) 18beta1\n": 18} {
		if _, major, err := parseVersion(s); major != want || err != nil {
			t.Errorf("%q: %d, %v", s, major, err)
		}
	}
}
