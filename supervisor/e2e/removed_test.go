package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// pages is a server that shows a template, and has a way to crash.
var pages = strings.NewReplacer(
	`	http.HandleFunc`, `	page, _ := os.ReadFile("page.html")
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(2) })
	http.HandleFunc`,
	`"%s pid=%d.", version, os.Getpid()`, `"%s %s pid=%d.", version, page, os.Getpid()`).Replace(server)

// cleaned is a project whose app serves, and from which `git clean -fdx` has then removed all
// that is not committed.
func cleaned(t *testing.T) (d *devguard, dir, url string) {
	t.Helper()
	dir = project(t, map[string]string{"main.go": pages, "page.html": "one"})
	port := freePort(t)
	url = "http://127.0.0.1:" + port
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "x")
	d = run(t, dir, []string{"PORT=" + port})
	d.serves(url, "v1 one ")
	d.ready()
	git("clean", "-fdxq")
	if _, err := os.Stat(filepath.Join(dir, ".devguard")); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
	return d, dir, url
}

// whole checks that the folder is as a start makes it.
func whole(t *testing.T, dir string) {
	t.Helper()
	if got := readFile(t, filepath.Join(dir, ".devguard", ".gitignore")); got != "*\n" {
		t.Errorf(".gitignore has %q", got)
	}
	locks, _ := filepath.Glob(filepath.Join(dir, ".devguard", "*", "lock"))
	if len(locks) != 1 {
		t.Fatalf("locks: %v", locks)
	}
	lock, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		t.Error("nobody has the lock")
	}
}

func TestTemplateAfterGitClean(t *testing.T) {
	t.Parallel()
	d, dir, url := cleaned(t)
	write(t, filepath.Join(dir, "page.html"), "two")
	d.serves(url, "v1 two ")
	whole(t, dir)
}

func TestSourceAfterGitClean(t *testing.T) {
	t.Parallel()
	d, dir, url := cleaned(t)
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves(url, "v2 one ")
	whole(t, dir)
}

func TestCrashAfterGitClean(t *testing.T) {
	t.Parallel()
	d, dir, url := cleaned(t)
	mark := d.mark()
	get(url + "/crash")
	d.wait(mark, "instance started", nil)
	d.serves(url, "v1 one ")
	whole(t, dir)
}

// A second devguard of the name is refused after that, and the first one's app stays.
func TestSecondDevguardAfterGitClean(t *testing.T) {
	t.Parallel()
	d, dir, url := cleaned(t)
	before := get(url)
	for _, save := range []string{"", "v1", "v2"} {
		if save != "" {
			edit(t, filepath.Join(dir, "main.go"), `"`+save+`"`, `"v`+string(save[1]+1)+`"`)
			d.serves(url, "v"+string(save[1]+1)+" ")
			before = get(url)
		}
		second := prepare(t, dir, []string{"PORT=1"})
		second.start()
		<-second.ended
		if log := second.log(); !strings.Contains(log, "another devguard runs here") || second.cmd.ProcessState.ExitCode() == 0 {
			t.Errorf("after the save %q: %s", save, log)
		}
		if now := get(url); now != before {
			t.Errorf("after the save %q %q is served, before the second devguard %q", save, now, before)
		}
	}
}
