package watch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// worktrees is a directory with every kind of work tree that git makes.
func worktrees(t *testing.T) string {
	t.Helper()
	needGit(t)
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"main/deep/er", "main/masked/.git/info", "lib", "none", "tree/sub", "home/app"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := func(dir string, args ...string) { t.Helper(); git(t, filepath.Join(base, dir), args...) }
	as := []string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"}
	for _, dir := range []string{"lib", "main", "home"} {
		in(dir, "init", "-q")
		in(dir, append(as, "commit", "-q", "--allow-empty", "-m", "x")...)
	}
	in("main", "worktree", "add", "-q", "../linked")
	in("main", append(as, "submodule", "--quiet", "add", filepath.Join(base, "lib"), "sub")...)
	in("lib", "clone", "-q", "--bare", ".", "../bare.git")
	if err := os.Symlink(filepath.Join(base, "main/deep"), filepath.Join(base, "alias")); err != nil {
		t.Fatal(err)
	}
	return base
}

// TestGitDir compares with what git itself says.
func TestGitDir(t *testing.T) {
	base := worktrees(t)
	for _, tt := range []struct {
		name, dir string
		env       []string // below base where a value begins with a slash
		want      string   // below base
		notGit    bool     // git says something else, for a reason
	}{
		{"the top", "main", nil, "main/.git", false},
		{"below it", "main/deep/er", nil, "main/.git", false},
		{"through a symbolic link", "alias/er", nil, "main/.git", false},
		{"a linked work tree", "linked", nil, "main/.git/worktrees/linked", false},
		{"a submodule", "main/sub", nil, "main/.git/modules/sub", false},
		{"below a .git that is none", "main/masked", nil, "main/.git", false},
		{"no repository", "none", nil, "", false},
		{"GIT_DIR and GIT_WORK_TREE", "tree/sub", []string{"GIT_DIR=/bare.git", "GIT_WORK_TREE=/tree"}, "bare.git", false},
		{"a work tree in that of GIT_DIR", "main/deep", []string{"GIT_DIR=/bare.git", "GIT_WORK_TREE=/"}, "main/.git", true},
		{"outside of that of GIT_DIR", "none", []string{"GIT_DIR=/bare.git", "GIT_WORK_TREE=/tree"}, "", true},
		{"in a hook of the submodule", "main/sub", []string{"GIT_DIR=/main/.git/modules/sub"}, "main/.git/modules/sub", false},
		{"in a hook of the linked work tree", "linked", []string{"GIT_DIR=/main/.git/worktrees/linked"}, "main/.git/worktrees/linked", false},
		{"a GIT_DIR that is gone", "main", []string{"GIT_DIR=/gone"}, "main/.git", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(base, tt.dir)
			for _, kv := range tt.env {
				name, value, _ := strings.Cut(kv, "=")
				t.Setenv(name, filepath.Join(base, value))
			}
			t.Chdir(dir)
			want := ""
			if tt.want != "" {
				want = filepath.Join(base, tt.want)
			}
			if got := GitDir(dir); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			out, _ := exec.Command("git", "rev-parse", "--absolute-git-dir").Output()
			if said := strings.TrimSpace(string(out)); said != want && !tt.notGit {
				t.Errorf("git says %q, want %q", said, want)
			}
		})
	}
}

// TestIgnoredInEveryKindOfWorkTree asks from each of them.
func TestIgnoredInEveryKindOfWorkTree(t *testing.T) {
	base := worktrees(t)
	at := func(name string) string { return filepath.Join(base, filepath.FromSlash(name)) }
	for _, dir := range []string{"main", "linked", "main/sub", "tree", "main/masked"} {
		if err := os.WriteFile(at(dir+"/.gitignore"), []byte("*.out\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GIT_DIR", at("bare.git"))
	t.Setenv("GIT_WORK_TREE", at("tree"))
	var paths []string
	for _, dir := range []string{"main", "main/deep/er", "linked", "main/sub", "main/masked", "tree", "tree/sub", "none"} {
		paths = append(paths, at(dir+"/a.out"), at(dir+"/a.html"))
	}
	got := newIgnorer().ignored(t.Context(), paths)
	for _, n := range got.silent {
		t.Error(n)
	}
	for _, path := range paths {
		want := strings.HasSuffix(path, ".out") && !strings.HasPrefix(path, at("none"))
		if got.ignored[path] != want {
			t.Errorf("%s: %v", path, got.ignored[path])
		}
	}
}
