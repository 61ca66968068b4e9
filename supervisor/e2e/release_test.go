package e2e_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRelease makes the archive of this platform twice, in two directories: the bytes are the same, and
// in it is all that belongs to a release.
func TestRelease(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindStringSubmatch(readText(t, "CHANGELOG.md"))
	if version == nil {
		t.Fatal("CHANGELOG.md has no version")
	}
	here, there := makeRelease(t, ".", "v"+version[1]), makeRelease(t, copyOfTree(t), "v"+version[1])
	if a, b := readText(t, filepath.Join(here, "SHA256SUMS")), readText(t, filepath.Join(there, "SHA256SUMS")); a != b {
		t.Errorf("not the same bytes:\n%s%s", a, b)
	}
	folder := "devguard_" + version[1] + "_" + runtime.GOOS + "_" + runtime.GOARCH
	dir := t.TempDir()
	names := unpack(t, filepath.Join(here, folder+".tar.gz"), dir)
	want := []string{"CHANGELOG.md", "LICENSE", "README.md", "completions/_devguard", "completions/devguard.bash", "completions/devguard.fish", "devguard", "man/devguard.1"}
	for i, name := range want {
		want[i] = folder + "/" + name
	}
	if !slices.Equal(names, want) {
		t.Errorf("the archive has %q\nwant %q", names, want)
	}
	out, err := exec.Command(filepath.Join(dir, folder, "devguard"), "version").Output()
	if err != nil || !regexp.MustCompile(`^devguard v`+regexp.QuoteMeta(version[1])+`, commit [0-9a-f]{40}, go`).Match(out) {
		t.Errorf("devguard version says %q, %v", out, err)
	}
}

// TestReleaseHasADate: nothing is released before its heading in CHANGELOG.md says when.
func TestReleaseHasADate(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "release")
	if said, err := exec.Command("go", "build", "-o", program, "./testdata/release").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for heading, want := range map[string]string{
		"## 0.1.0 (unreleased)": "says that v0.1.0 is unreleased; write its date",
		"## 0.1.01":             "has no heading for v0.1.0; write one",
		"## 0.1.0-rc.1":         "has no heading for v0.1.0; write one",
		"## 0.1.0 (2026-11-29)": "git status", // which is what comes next, and there is no repository
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "CHANGELOG.md"), "# Changelog\n\n"+heading+"\n\nThe first.\n")
		cmd := exec.Command(program, "v0.1.0")
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), want) {
			t.Errorf("%s: %v, %s", heading, err, said)
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// makeRelease makes it from the tree in dir, and returns where it is.
func makeRelease(t *testing.T, dir, version string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command("go", "run", "./testdata/release", "-dirty", "-o", out, version, runtime.GOOS+"/"+runtime.GOARCH)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return out
}

// copyOfTree is a clone of this repository with the files as they are now.
func copyOfTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	if said, err := exec.Command("git", "clone", "--quiet", ".", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	listed, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			write(t, filepath.Join(dir, name), readText(t, name))
		} else if errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
	return dir
}

// unpack unpacks a tar.gz into dir and returns the names in it, in their order.
func unpack(t *testing.T, path, dir string) (names []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		write(t, filepath.Join(dir, header.Name), string(data))
		if err := os.Chmod(filepath.Join(dir, header.Name), header.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
