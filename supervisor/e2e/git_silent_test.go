package e2e_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// rebasing is a project whose repository is in the middle of a rebase, with a hook that migrates and
// files that git ignores. git continues the rebase, whoever the repository belongs to.
func rebasing(t *testing.T) (dir string, git func(args ...string) error) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		testneed.Skip(t, "git", err)
	}
	dir = quietApp(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at(".gitignore"), "told.txt\ndist/\n.devguard/\n")
	write(t, at("devguard.toml"), `
[[hook]]
name = "migrate"
watch = ["migrations/*.txt"]
run = "cat migrations/1.txt >> told.txt"
then = "none"
migrates = true
`)
	git = func(args ...string) error {
		cmd := exec.Command(real, append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.editor=true"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_DIR="+at(".git"), "GIT_WORK_TREE="+dir) // git asks not whose they are
		return cmd.Run()
	}
	must := func(args ...string) {
		t.Helper()
		if err := git(args...); err != nil {
			t.Fatal(args, err)
		}
	}
	commit := func(text string) {
		t.Helper()
		write(t, at("migrations/1.txt"), text)
		must("add", ".")
		must("commit", "-q", "-m", text)
	}
	must("init", "-q", "-b", "trunk")
	commit("first")
	must("checkout", "-q", "-b", "theirs")
	commit("theirs")
	must("checkout", "-q", "trunk")
	commit("ours")
	if err := git("rebase", "theirs"); err == nil {
		t.Fatal("the rebase has no conflict")
	}
	write(t, at("dist/old.html"), "made")
	return dir, git
}

// another gives a tree to another user, whose repository git then refuses.
func another(t *testing.T, dir string) {
	t.Helper()
	testneed.Root(t)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 12345, 12345)
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := exec.Command("git", "-C", dir, "status").CombinedOutput(); !strings.Contains(string(out), "dubious ownership") {
		t.Fatalf("git does not refuse: %s", out)
	}
}

// pathOf makes a PATH of these programs, found on ours.
func pathOf(t *testing.T, programs ...string) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range programs {
		found, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + bin
}

// hangingGit is a PATH whose git never answers, but waits for another program as a shim does.
func hangingGit(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	write(t, filepath.Join(bin, "git"), "#!/bin/sh\nsleep 1000 &\nwait\n")
	if err := os.Chmod(filepath.Join(bin, "git"), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + bin + ":" + os.Getenv("PATH")
}

// TestGitThatDoesNotAnswer: a migration is held during a rebase all the same. What git ignores is
// known without its blessing; where it is not, that is said once, and the remedy that is said helps.
func TestGitThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		with func(t *testing.T, dir string) (env []string)
		says string
	}{
		{"a repository of another user", func(t *testing.T, dir string) []string { another(t, dir); return nil }, ""},
		{"no git", func(t *testing.T, _ string) []string { return []string{pathOf(t, "go", "sh", "cat")} }, "there is no git on PATH"},
		{"a git that hangs", func(t *testing.T, _ string) []string { return []string{hangingGit(t)} }, "git does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, git := rebasing(t)
			d := run(t, dir, tt.with(t, dir), "--db", "off")
			at := func(name string) string { return filepath.Join(dir, name) }
			if held := d.wait(0, "hook held", nil); !strings.Contains(held.str("reason"), "rebase") {
				t.Errorf("%s", held.Raw)
			}
			d.serving("v0 page0")
			d.wait(0, "instance ready", nil)
			write(t, at("migrations/1.txt"), "merged")
			edit(t, at("part/part.go"), "v0", "v1")
			d.serving("v1 page0")
			if n := d.count(0, "hook started"); n != 0 {
				t.Errorf("a migration ran in the middle of a rebase\n%s", d.log())
			}
			if err := git("add", "."); err != nil {
				t.Fatal(err)
			}
			if err := git("rebase", "--continue"); err != nil {
				t.Fatal(err)
			}
			d.served(d.wait(0, "hook finished", nil))
			if got := readFile(t, at("told.txt")); got != "merged" {
				t.Errorf("migrated %q", got)
			}
			if tt.says != "" {
				d.silentGit(dir, tt.says)
			}
			d.ignoresDist(dir)
			if n := strings.Count(d.log(), "what git ignores in "); n != map[bool]int{true: 1}[tt.says != ""] {
				t.Errorf("said %d times that git does not answer\n%s", n, d.log())
			}
		})
	}
}

// TestExplainIsToldWhyGitIsSilent also has a repository about which git would say nothing by itself.
func TestExplainIsToldWhyGitIsSilent(t *testing.T) {
	t.Parallel()
	dir, _ := rebasing(t)
	for _, tt := range []struct{ path, verdict, says string }{
		{pathOf(t, "go"), "restart without a build", "there is no git on PATH"},
		{"PATH=" + os.Getenv("PATH"), "nothing", ""},
	} {
		if tt.says == "" {
			another(t, dir)
		}
		var stdout, stderr strings.Builder
		cmd := exec.Command(binary(t), "explain", "dist/old.html")
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
		cmd.Env = append(cleanEnv(), tt.path)
		err := cmd.Run()
		if err != nil || !strings.HasPrefix(stdout.String(), "dist/old.html: "+tt.verdict+"\n") {
			t.Errorf("%v, %s%s, want %q", err, &stdout, &stderr, tt.verdict)
		}
		if !strings.Contains(stderr.String(), tt.says) || tt.says == "" && stderr.Len() > 0 {
			t.Errorf("says %q, want %q", &stderr, tt.says)
		}
	}
}

// TestStampOfAnotherUsersRepository asks for -buildvcs where git refuses, and does what the hint says.
func TestStampOfAnotherUsersRepository(t *testing.T) {
	t.Parallel()
	dir, _ := rebasing(t)
	another(t, dir)
	d := run(t, dir, []string{"GOFLAGS=-buildvcs=true"}, "--db", "off")
	failed := d.wait(0, "build failed", nil)
	_, line, ok := strings.Cut(failed.str("hint"), "write ")
	line, _, under := strings.Cut(line, " under [build]")
	if !ok || !under || !strings.Contains(failed.Raw, "obtaining VCS status") {
		t.Fatal(failed.Raw)
	}
	config := filepath.Join(dir, "devguard.toml")
	saveWhole(t, config, "[build]\n"+line+"\n"+readFile(t, config))
	d.serving("v0 page0")
}

// silentGit waits until it is said why git gives no answer, and does what the hint says.
func (d *devguard) silentGit(dir, why string) {
	d.t.Helper()
	var hint string
	if !poll(limit, func() bool {
		for _, l := range d.since(0) {
			if strings.Contains(l.Msg, "what git ignores in "+dir) && strings.Contains(l.Msg, why) {
				hint = l.str("hint")
			}
		}
		return hint != ""
	}) {
		d.t.Fatalf("it is not said that %s\n%s", why, d.log())
	}
	mark := d.mark()
	write(d.t, filepath.Join(dir, "dist", "old.html"), "made again")
	// It is as was said: what git ignores counts.
	d.served(d.wait(mark, "changed", func(l line) bool { return strings.Contains(l.Raw, `"dist/old.html"`) }))
	_, line, ok := strings.Cut(hint, "name them: ")
	line, _, under := strings.Cut(line, " under [watch]")
	if !ok || !under {
		d.t.Fatalf("no line to write in %q", hint)
	}
	config := filepath.Join(dir, "devguard.toml")
	mark = d.mark()
	saveWhole(d.t, config, "[watch]\n"+line+"\n"+readFile(d.t, config))
	d.wait(mark, "instance ready", nil)
}

// served waits until a generation that a line was about is ready, or a later one.
func (d *devguard) served(about line) {
	d.t.Helper()
	d.wait(0, "instance ready", func(l line) bool { return l.int("gen") >= about.int("gen") })
}

// ignoresDist holds that files in dist ask for nothing, by the order of the answers: git is asked
// about new files in turn.
func (d *devguard) ignoresDist(dir string) {
	d.t.Helper()
	mark := d.mark()
	for _, name := range []string{"dist/old.html", "dist/new.html", "dist/deep/new.html", "one.html"} {
		write(d.t, filepath.Join(dir, filepath.FromSlash(name)), "made anew")
	}
	changed := func(name string) func(line) bool {
		return func(l line) bool { return strings.Contains(l.Raw, `"`+name+`"`) }
	}
	d.wait(mark, "changed", changed("one.html"))
	write(d.t, filepath.Join(dir, "two.html"), "the next question")
	d.wait(mark, "changed", changed("two.html"))
	for _, l := range d.since(mark) {
		if l.Msg == "changed" && strings.Contains(l.Raw, "dist/") {
			d.t.Errorf("git ignores it: %s", l.Raw)
		}
	}
}
