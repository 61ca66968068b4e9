package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal starts devguard with a terminal as its standard input, and returns
// what types there.
func onTerminal(t *testing.T, dir string, env []string, args ...string) (d *devguard, keyboard func(key string)) {
	t.Helper()
	d = prepare(t, dir, env, args...)
	master, slave := terminal(t)
	d.cmd.Stdin = slave
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // of file 0
	d.start()
	slave.Close()
	return d, func(key string) {
		t.Helper()
		if _, err := master.WriteString(key); err != nil {
			t.Fatal(err)
		}
	}
}

// terminal makes a pseudo terminal; the master is closed when the test ends.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// The key r runs a hook that failed again, and one that git holds; then it
// restarts the app.
func TestKeyRunsHooks(t *testing.T) {
	const config = `
[[hook]]
name = "gen"
watch = ["in.txt"]
run = "test -e allowed"

[[hook]]
name = "migrate"
watch = ["migrations/*"]
run = "true"
migrates = true
then = "none"
`
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	dir := project(t, map[string]string{
		"main.go": server, "in.txt": "1", "allowed": "", "migrations/1": "", "devguard.toml": config,
	})
	mustGit(t, dir, "init", "-q")
	d, keyboard := onTerminal(t, dir, []string{"PORT=" + port}, "--db", "off")
	d.serves(url, "v1")
	d.ready()
	mark := d.mark()
	if err := os.Remove(filepath.Join(dir, "allowed")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "in.txt"), "2")
	d.wait(mark, "hook failed", nil)
	write(t, filepath.Join(dir, ".git/MERGE_HEAD"), "")
	write(t, filepath.Join(dir, "migrations/1"), "2")
	d.wait(mark, "hook held", nil)
	before := get(url)

	mark = d.mark()
	keyboard("r")
	d.wait(mark, "hook failed", nil)
	if now := get(url); now != before {
		t.Errorf("served %q before and %q after a hook that fails again", before, now)
	}
	write(t, filepath.Join(dir, "allowed"), "")
	mark = d.mark()
	keyboard("r")
	d.wait(mark, "instance ready", nil)
	if now := get(url); now == before || !strings.HasPrefix(now, "v1") {
		t.Errorf("served %q before and %q after", before, now)
	}
	var ran []string
	for _, l := range d.since(mark) {
		if l.Msg == "hook finished" {
			ran = append(ran, l.str("hook"))
		}
	}
	if fmt.Sprint(ran) != "[gen migrate]" {
		t.Errorf("r ran %v", ran)
	}
	keyboard("q")
	if code := d.waitEnd(); code != 0 {
		t.Errorf("q: exit code %d", code)
	}
}
