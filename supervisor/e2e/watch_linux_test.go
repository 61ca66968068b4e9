package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestOverflowLosesNothing stops devguard while more happens than the kernel
// keeps events of.
func TestOverflowLosesNothing(t *testing.T) {
	tr := newTree(t, map[string]string{"app/main.go": program("example.com/app/a"), "app/a/part.go": part("before")})
	d := tr.run()
	d.serving("before")
	mark := d.mark()
	d.signal(syscall.SIGSTOP)
	for i := range 20000 {
		f, err := os.Create(tr.at(fmt.Sprintf("app/file%d.txt", i)))
		tr.must(err)
		f.Close()
	}
	tr.write("app/a/part.go", part("while it was stopped"))
	d.signal(syscall.SIGCONT)
	d.serving("while it was stopped")
	said := 0
	d.wait(mark, "instance started", nil)
	for _, l := range d.since(mark) {
		if strings.Contains(l.Msg, "more file events than the kernel keeps") && l.str("hint") != "" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the overflow is told %d times\n%s", said, d.log())
	}
	tr.write("app/a/part.go", part("after it"))
	d.serving("after it")
}

func (d *devguard) signal(sig syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatal(err)
	}
}

// limited runs devguard in a user namespace of its own, in which a limit of
// inotify is lowered: those of the machine, and of other tests, stay.
func (tr tree) limited(limit string, value int) *devguard {
	tr.t.Helper()
	d := prepare(tr.t, tr.at("app"), nil, "--db", "off")
	shell := fmt.Sprintf(`echo %d >/proc/sys/user/%s && exec "$@"`, value, limit)
	d.cmd.Args = append([]string{"sh", "-c", shell, "sh", d.cmd.Path}, d.cmd.Args[1:]...)
	d.cmd.Path = "/bin/sh"
	d.inUserNamespace()
	d.start()
	return d
}

// inUserNamespace has devguard run in a user namespace of its own, in which root has no power over
// the files of other users.
func (d *devguard) inUserNamespace() {
	d.t.Helper()
	d.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	d.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	d.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	try := exec.Command("/bin/true")
	try.SysProcAttr = d.cmd.SysProcAttr
	if err := try.Run(); err != nil {
		testneed.Skip(d.t, "namespace", err)
	}
}

func TestLimitsOfInotify(t *testing.T) {
	for _, tt := range []struct {
		limit string
		value int
		says  string
		hint  string
	}{
		{"max_inotify_instances", 0, "no file events", "fs.inotify.max_user_instances"},
		{"max_inotify_watches", 2, "the limit of watches is reached", "fs.inotify.max_user_watches"},
	} {
		t.Run(tt.limit, func(t *testing.T) {
			tr := newTree(t, map[string]string{"app/main.go": program("example.com/app/a/b"), "app/a/b/part.go": part("before")})
			d := tr.limited(tt.limit, tt.value)
			d.serving("before")
			d.ready() // the log may lag behind the app
			said := 0
			for _, l := range d.since(0) {
				if strings.Contains(l.Msg, tt.says) && strings.Contains(l.Msg, "polling every second") && strings.Contains(l.str("hint"), tt.hint) {
					said++
				}
			}
			if mode := d.wait(0, "watching", nil).str("mode"); mode != "poll" || said != 1 {
				t.Errorf("mode %q, the limit is told %d times\n%s", mode, said, d.log())
			}
			tr.write("app/a/b/part.go", part("edited"))
			d.serving("edited")
			tr.write("app/c/part.go", part("of a new package"))
			tr.write("app/main.go", program("example.com/app/c"))
			d.serving("of a new package")
		})
	}
}

func TestPolling(t *testing.T) {
	tr := newTree(t, map[string]string{
		"app/main.go":       program("example.com/app/a"),
		"app/a/part.go":     part("before"),
		"app/devguard.toml": "[watch]\npoll = \"200ms\"\n",
		"app/page.html":     "one",
	})
	d := tr.run()
	d.serving("before")
	if mode := d.wait(0, "watching", nil).str("mode"); mode != "poll" {
		t.Errorf("mode %q", mode)
	}
	tr.write("app/a/part.go", part("edited"))
	d.serving("edited")
	d.wait(0, "instance started", func(l line) bool { return l.int("gen") == 2 })
	tr.write("app/page.html", "two")
	d.wait(0, "instance started", func(l line) bool { return l.int("gen") == 3 })
	tr.write("app/b/c/part.go", part("of a new package"))
	tr.write("app/main.go", program("example.com/app/b/c"))
	d.serving("of a new package")
	tr.rename("app/b", "app/d")
	tr.write("app/main.go", program("example.com/app/d/c"))
	tr.write("app/d/c/part.go", part("of a renamed directory"))
	d.serving("of a renamed directory")
}

// TestCommandInATree runs something that is no Go program: the tree decides,
// without what git ignores.
func TestCommandInATree(t *testing.T) {
	tr := newTree(t, map[string]string{
		"app/.gitignore":          "*.log\n/out/\n",
		"app/serve.sh":            "echo $$ >> restarts.log\nmkdir -p out; date >> out/built\necho \"serving $(cat conf/*) pid=$$\"\nexec sleep 1000\n",
		"app/conf/a":              "a0",
		"app/node_modules/x/x.js": "0",
		"app/out/old":             "0",
	})
	tr.git("init", "-q", "-b", "main")
	d := tr.run("--", "sh", "serve.sh")
	d.serving("a0")
	d.wait(0, "instance started", nil) // which comes after the app's own words
	for _, tt := range []struct {
		nothing []string // changes that ask for nothing, before
		file    string
		text    string
		serves  string
	}{
		{nil, "conf/a", "a1", "a1"},
		{[]string{"restarts.log", "out/new/x", "node_modules/x/x.js", ".git/description", "conf/.a.swp"}, "conf/a", "a2", "a2"},
		{[]string{"deep.log"}, "conf/b", " b0", "a2 b0"},
		{nil, ".gitignore", "*.log\n/out/\n/build/\n", "a2 b0"},
		{[]string{"build/x/y"}, "conf/b", " b1", "a2 b1"},
	} {
		mark := d.mark()
		for _, name := range tt.nothing {
			tr.write("app/"+name, fmt.Sprint(mark))
		}
		saveWhole(t, tr.at("app/"+tt.file), tt.text)
		d.wait(mark, "instance started", nil)
		d.serving(tt.serves)
		d.wait(mark, "instance ready", nil)
		for _, l := range d.since(mark) {
			if l.Msg == "changed" && !strings.Contains(l.Raw, `["`+tt.file+`"]`) {
				t.Errorf("%s: %s", tt.file, l.Raw)
			}
		}
		if n := d.count(mark, "instance started"); n != 1 {
			t.Errorf("%s: %d starts\n%s", tt.file, n, d.log())
		}
	}
	mark := d.mark()
	tr.write("elsewhere/x/y/conf", " c0")
	tr.rename("elsewhere/x", "app/conf.d")
	d.wait(mark, "instance started", nil)
}

// cpu is the time that a process has spent on a processor, in the kernel's
// ticks of 10 ms.
func (d *devguard) cpu() int {
	d.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// TestBesideALargeTree has directories in the module's root that are none of
// the program's.
func TestBesideALargeTree(t *testing.T) {
	dirs, quiet, rounds := 10000, 2*time.Second, 3
	if *campaign {
		dirs, quiet, rounds = 50000, 60*time.Second, 15
	}
	files := func() map[string]string {
		return map[string]string{"app/main.go": program("example.com/app/a"), "app/a/part.go": part("before")}
	}
	small, large := newTree(t, files()), newTree(t, files())
	for i := range dirs {
		large.must(os.MkdirAll(large.at(fmt.Sprintf("app/big/%d/%d", i%200, i)), 0o755))
	}
	list := goList(t, small)
	binary(t) // is built before anything is measured
	var ds [2]*devguard
	for i, tr := range []tree{small, large} {
		began := time.Now()
		ds[i] = tr.run("-v")
		ds[i].wait(0, "build started", nil)
		t.Logf("%d directories: build started after %d ms, a go list by hand takes %d ms", i*dirs, time.Since(began).Milliseconds(), list.Milliseconds())
		ds[i].serving("before")
	}
	var took [2][]time.Duration
	for n := range 1 + rounds {
		if n == 1 { // what follows the first save is measured in peace
			ds[1].waitRaw(0, "looked for watch.include in 8192 directories and stopped")
		}
		for i, tr := range []tree{small, large} {
			v := fmt.Sprint("edit ", n)
			began := time.Now()
			tr.write("app/a/part.go", part(v))
			ds[i].serving(v)
			took[i] = append(took[i], time.Since(began))
		}
	}
	t.Logf("first save: %d ms without, %d ms beside the tree", took[0][0].Milliseconds(), took[1][0].Milliseconds())
	without, beside := median(took[0][1:]), median(took[1][1:])
	ratio := float64(beside) / float64(without)
	t.Logf("later ones: %d and %d ms, ratio %.2f", without.Milliseconds(), beside.Milliseconds(), ratio)
	if *campaign && ratio > 1.25 {
		t.Errorf("a save takes %.2f times as long beside the tree", ratio)
	}
	ds[1].wait(0, "instance ready", ofGen(rounds+2))
	ds[1].verified(0, ofGen(rounds+2)) // the last thing that happens
	used := 2
	for i := 0; i < 3 && used > 1; i++ { // the garbage of what was before is collected yet
		before := ds[1].cpu()
		<-time.After(quiet)
		used = int(ds[1].cpu() - before)
	}
	if used > 1 { // of the garbage collector's timer
		t.Errorf("%d0 ms of processor time in %v of quiet", used, quiet)
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// goList is how long `go list` of the program takes.
func goList(t *testing.T, tr tree) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 3 {
		cmd := exec.Command("go", "list", "-e", "-deps", "-json", ".")
		cmd.Dir = filepath.Join(tr.base, "app")
		began := time.Now()
		if _, err := cmd.Output(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return median(took)
}
