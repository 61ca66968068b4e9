//go:build linux

package proc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// terminal returns both ends of a pseudo terminal.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		testneed.Skip(t, "pty", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

// The app reads what is typed, Ctrl-C reaches it and not devguard, and the
// terminal is devguard's again when it has exited.
func TestForeground(t *testing.T) {
	keyboard, tty := terminal(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	script := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(script, []byte(`#!/bin/sh
read a; echo got $a
grep -E '^Sig[BI]' /proc/self/status
trap 'echo interrupted; exit 5' INT
echo waiting; read b
`), 0o700); err != nil {
		t.Fatal(err)
	}
	mark := newMark()
	d := exec.Command(os.Args[0])
	d.Env = append(os.Environ(), mark, "PROC_TEST_DEVGUARD="+script, "PROC_TEST_TTY=1")
	d.Stdin, d.Stdout = tty, w
	d.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		d.Process.Kill()
		d.Wait()
		eventually(t, "everything to be gone", func() bool { return len(marked(mark)) == 0 })
	})
	lines := bufio.NewScanner(r)
	expect := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("no line with %q", want)
	}
	expect("guardians")
	fmt.Fprintln(keyboard, "hello")
	expect("got hello")
	expect("SigBlk:\t0000000000000000")
	expect("SigIgn:\t0000000000000000")
	expect("waiting")
	keyboard.Write([]byte{3}) // Ctrl-C
	expect("interrupted")
	expect("gone {5")
	eventually(t, "devguard's end", func() bool { return !alive(d.Process.Pid) })
}
