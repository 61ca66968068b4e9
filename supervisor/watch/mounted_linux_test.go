package watch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/testneed"
)

// mounted makes the world one that is seen through FUSE, as a container sees the folders of its
// host: no event tells of what is written behind the mount, and the kernel keeps for an hour what
// it has once asked about a file. Behind is where to write.
func (d *world) mounted() (behind string) {
	d.Helper()
	testneed.Root(d.T)
	bindfs, err := exec.LookPath("bindfs")
	if err != nil {
		testneed.Skip(d.T, "bindfs", err)
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		testneed.Skip(d.T, "bindfs", err)
	}
	behind, d.root = d.root, d.TempDir()
	out, err := exec.Command(bindfs, "-o", "attr_timeout=3600,entry_timeout=3600", behind, d.root).CombinedOutput()
	if err != nil {
		d.Fatalf("bindfs: %v\n%s", err, out)
	}
	root := d.root
	d.Cleanup(func() { d.must(unix.Unmount(root, unix.MNT_DETACH)) })
	d.plan = d.makePlan()
	return behind
}

// stamped reports whether nothing in a directory is too new to be known by its times.
func (d *world) stamped(dir string) (all bool) {
	d.must(d.w.ask(d.Context(), func(l *loop) error {
		all = l.dirs.byName[d.path(dir)].mtime != 0
		for _, f := range l.files {
			all = all && !f.racy
		}
		return nil
	}))
	return all
}

// Whoever asks is answered by the files as they are, whatever the kernel has kept of them.
func TestCatchUpBehindAMount(t *testing.T) {
	t.Parallel()
	d := newWorld(t)
	behind := d.mounted()
	d.start(Options{CookieDir: d.path(stateDir)})
	write := func(path, text string) { t.Helper(); d.must(os.WriteFile(path, []byte(text), 0o644)) }
	for _, save := range []struct {
		how, name, text string
		do              func(path, text string)
	}{
		{"written in place", "a/a.go", "package a // 1\n", write},
		{"of equal length", "a/a.go", "package a // 2\n", write},
		{"removed", "a/a.go", "", func(path, _ string) { d.must(os.Remove(path)) }},
		{"made again", "a/a.go", "package a // 3\n", write},
		{"renamed over", "a/a.go", "package a // 4\n", func(path, text string) { write(path+"~", text); d.must(os.Rename(path+"~", path)) }},
		{"new", "a/b.go", "package a // 5\n", write},
	} {
		d.until("stamps to be relied on", func() bool { d.catchUp(); return d.stamped("a") })
		d.catchUp() // reading has the kernel forget, and this has it ask once more
		save.do(filepath.Join(behind, save.name), save.text)
		d.catchUp()
		should := ""
		if save.text != "" {
			should = change.DigestOf([]byte(save.text)).String()
		}
		if is := describe(d.w)[d.path(save.name)]; !strings.HasPrefix(is, should) || is != "" && should == "" {
			t.Errorf("%s: known as %q, should be %q", save.how, is, should)
		}
	}
}
