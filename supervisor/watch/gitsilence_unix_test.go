//go:build unix

package watch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/testneed"
)

// ignoring is a repository that ignores *.out, and the paths that git is asked about.
func ignoring(t *testing.T) (dir string, paths []string) {
	t.Helper()
	needGit(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "init", "-q")
	writeFile(t, filepath.Join(dir, ".gitignore"), "*.out\n")
	return dir, []string{filepath.Join(dir, "a.html"), filepath.Join(dir, "a.out")}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// foreign gives a tree to another user.
func foreign(t *testing.T, dir string) {
	t.Helper()
	testneed.Root(t)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 12345, 12345)
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", dir, "status").CombinedOutput(); !strings.Contains(string(out), "dubious ownership") {
		t.Fatalf("git does not refuse: %v\n%s", err, out)
	}
}

func TestRepositoryOfAnotherUser(t *testing.T) {
	dir, paths := ignoring(t)
	foreign(t, dir)
	got := newIgnorer().ignored(t.Context(), paths)
	if !got.ignored[paths[1]] || len(got.ignored) != 1 || len(got.silent) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestNothingOfTheRepositoryRuns has a repository's configuration name programs wherever git runs
// one, and holds that git by itself does.
func TestNothingOfTheRepositoryRuns(t *testing.T) {
	dir, paths := ignoring(t)
	ran := filepath.Join(t.TempDir(), "ran")
	evil := filepath.Join(dir, ".git", "evil")
	writeFile(t, evil, "#!/bin/sh\necho \"$0 $*\" >> "+ran+"\nexit 1\n")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x")
	for _, kv := range [][2]string{
		{"core.fsmonitor", evil}, {"core.pager", evil}, {"pager.check-ignore", evil}, {"alias.check-ignore", "!" + evil},
		{"core.hooksPath", filepath.Dir(evil)}, {"core.sshCommand", evil}, {"core.askPass", evil}, {"filter.x.smudge", evil},
	} {
		git(t, dir, "config", kv[0], kv[1])
	}
	// A partial clone that lacks the .gitignore, which a sparse checkout has left out.
	blob, err := exec.Command("git", "-C", dir, "rev-parse", ":.gitignore").Output()
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.TrimSpace(string(blob))
	git(t, dir, "-c", "core.fsmonitor=", "update-index", "--skip-worktree", ".gitignore")
	for _, name := range []string{".gitignore", ".git/objects/" + hash[:2] + "/" + hash[2:]} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, kv := range [][2]string{
		{"core.repositoryFormatVersion", "1"}, {"extensions.partialClone", "origin"}, {"remote.origin.promisor", "true"},
		{"remote.origin.url", "ext::" + evil}, {"protocol.ext.allow", "always"},
	} {
		git(t, dir, "config", kv[0], kv[1])
	}
	os.Remove(ran)
	newIgnorer().ignored(t.Context(), paths)
	if said, err := os.ReadFile(ran); err == nil {
		t.Errorf("was run:\n%s", said)
	}
	cmd := exec.Command("git", "check-ignore", "--stdin")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader("a.out\n")
	cmd.Run()
	if said, _ := os.ReadFile(ran); !strings.Contains(string(said), "evil") {
		t.Errorf("git by itself runs nothing of it: %q", said)
	}
}

// TestSettingsOfTheUser holds that they count, from the environment too.
func TestSettingsOfTheUser(t *testing.T) {
	dir, paths := ignoring(t)
	excludes := filepath.Join(t.TempDir(), "excludes")
	writeFile(t, excludes, "*.html\n")
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
	t.Setenv("GIT_CONFIG_VALUE_0", excludes)
	got := newIgnorer().ignored(t.Context(), paths)
	if !got.ignored[paths[0]] || !got.ignored[paths[1]] {
		t.Errorf("%s: %+v", dir, got)
	}
}

func TestGitThatRefuses(t *testing.T) {
	dir, paths := ignoring(t)
	config := filepath.Join(dir, ".git", "config")
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	g := newIgnorer()
	writeFile(t, config, "[core\n")
	got := g.ignored(t.Context(), paths)
	if len(got.silent) != 1 || len(got.ignored) != 0 || !strings.Contains(got.silent[0].Msg, "bad config line 1") {
		t.Fatalf("%+v", got)
	}
	_, command, _ := strings.Cut(got.silent[0].Hint, "`")
	command, _, _ = strings.Cut(command, "`")
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err == nil || !strings.Contains(string(out), "bad config line 1") {
		t.Errorf("the hint shows something else: %s: %v\n%s", command, err, out)
	}
	writeFile(t, config, string(good))
	if got = g.ignored(t.Context(), paths); !got.again || !got.ignored[paths[1]] {
		t.Errorf("mended: %+v", got)
	}
	if got = g.ignored(t.Context(), paths); got.again {
		t.Error("mended twice")
	}
}

func TestNoGit(t *testing.T) {
	dir, paths := ignoring(t)
	t.Setenv("PATH", "")
	got := newIgnorer().ignored(t.Context(), paths)
	if len(got.silent) != 1 || !strings.Contains(got.silent[0].Msg, dir) || !strings.Contains(got.silent[0].Hint, "install git") {
		t.Errorf("%+v", got)
	}
	if got := newIgnorer().ignored(t.Context(), []string{filepath.Join(t.TempDir(), "a")}); len(got.silent) != 0 {
		t.Errorf("outside a repository: %+v", got)
	}
}

// TestGitThatHangs has a git that waits for a child of its own, like a shim that starts another one.
func TestGitThatHangs(t *testing.T) {
	dir, paths := ignoring(t)
	real, bin := newIgnorer().git, t.TempDir()
	asked := filepath.Join(bin, "asked")
	writeFile(t, filepath.Join(bin, "git"), "#!/bin/sh\nsleep 1000 &\necho $! >> "+asked+"\nwait\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	g := newIgnorer()
	g.limit = 300 * time.Millisecond
	for n, want := range []int{1, 0} { // it is not asked again at once
		got := g.ignored(t.Context(), paths)
		if len(got.silent) != want || len(got.ignored) != 0 {
			t.Fatalf("%d: %+v", n, got)
		}
	}
	pids := strings.Fields(readFile(t, asked))
	if len(pids) != 1 {
		t.Fatalf("asked %d times", len(pids))
	}
	pid, err := strconv.Atoi(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(time.Millisecond) // a killed process takes a moment to end
	defer again.Stop()
	for end := time.Now().Add(patience); osproc.Alive(pid); <-again.C {
		if time.Now().After(end) {
			t.Fatalf("%d is left behind", pid)
		}
	}
	g.git, g.until[dir] = real, time.Now()
	if got := g.ignored(t.Context(), paths); !got.again || !got.ignored[paths[1]] {
		t.Errorf("a git that answers again: %+v", got)
	}
}

// TestGitAnswersAgain holds that what was taken in while git refused is forgotten then.
func TestGitAnswersAgain(t *testing.T) {
	t.Parallel()
	needGit(t)
	d := newWorld(t)
	git(t, d.root, "init", "-q")
	d.write(".gitignore", "out/\n")
	d.write("out/a.html", "x")
	good := readFile(t, d.path(".git/config"))
	d.write(".git/config", "[core\n")
	d.start(Options{})
	d.until("the walk", d.walked)
	d.until("a note", func() bool { return d.seen.noteWith("bad config line 1") })
	if got, want := d.runtimeFiles(), "out/a.html tmpl/index.html"; got != want {
		t.Fatalf("runtime files are %s, want %s", got, want)
	}
	d.write(".git/config", good)
	d.write("tmpl/new.html", "x")
	d.until("the rules", func() bool { return d.walked() && d.runtimeFiles() == "tmpl/index.html tmpl/new.html" })
	if n := len(d.seen.notes); n != 1 {
		t.Errorf("%d notes: %v", n, d.seen.notes)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
