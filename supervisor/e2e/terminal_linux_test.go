package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with the side that a person sits at.
type terminal struct {
	t        *testing.T
	fd       int // of pty
	pty, tty *os.File
	screen   logtest.Buffer // what was written to it
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	// Not blocking, so that Close ends a Read; os.File.Fd would undo that.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		testneed.Skip(t, "pty", err)
	}
	term := &terminal{t: t, fd: fd, pty: os.NewFile(uintptr(fd), "/dev/ptmx")}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if term.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(&term.screen, term.pty)
	}()
	t.Cleanup(func() {
		term.tty.Close()
		term.pty.Close()
		<-done
	})
	return term
}

// typed is what the person types.
func (term *terminal) typed(keys string) {
	term.t.Helper()
	if _, err := term.pty.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// shows waits for a text on the screen.
func (term *terminal) shows(text string) {
	term.t.Helper()
	if !poll(limit, func() bool { return strings.Contains(term.screen.String(), text) }) {
		term.t.Fatalf("the screen does not show %q\n%s", text, term.screen.String())
	}
}

// on gives a prepared devguard the terminal, as the leader of its session.
func (term *terminal) on(d *devguard) *devguard {
	d.cmd.Stdin = term.tty
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return d
}

// TestKeys: r restarts, o opens the status page or says where it is, ? helps, q quits, and the terminal
// is as it was.
func TestKeys(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	before, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	d := term.on(prepare(t, project(t, map[string]string{"main.go": polite}), []string{"DISPLAY=", "WAYLAND_DISPLAY="}))
	d.start()
	d.ready()
	mark := d.mark()
	term.typed("?")
	d.waitRaw(mark, "keys: r")
	term.typed("o")
	d.waitRaw(mark, "/page/#")
	term.typed("x")
	term.typed("r")
	d.wait(mark, "instance stopping", nil)
	if l := d.wait(mark, "instance started", nil); l.int("gen") != 2 {
		t.Errorf("restart: %s", l.Raw)
	}
	term.typed("q")
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	after, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %+v, before %+v (%v)", after, before, err)
	}
}

// TestInterruptAtATerminal reaches devguard and not the app: that is asked to
// end by its stop signal, once.
func TestInterruptAtATerminal(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	d := term.on(prepare(t, project(t, map[string]string{
		"main.go": strings.Replace(polite, "<-asked", `fmt.Println("got", <-asked)`, 1),
	}), nil))
	d.start()
	d.waitOutput("hello")
	d.ready()
	term.typed("\x03")
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.waitOutput("goodbye")
	if got := d.out.String(); strings.Count(got, "got") != 1 || !strings.Contains(got, "got terminated") {
		t.Errorf("the app was told %q", got)
	}
}

// reader reads lines, like a REPL.
const reader = `package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	fmt.Println("v1")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Printf("read <%s>\n", in.Text())
	}
	fmt.Println("end of input")
}
`

// TestAppWithStdin: the app is in the foreground and reads what is typed, also
// after a restart; Ctrl-C ends all.
func TestAppWithStdin(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	dir := project(t, map[string]string{"main.go": reader, "devguard.toml": "[app]\nstdin = true\n"})
	d := term.on(prepare(t, dir, nil))
	d.start()
	d.waitOutput("v1")
	term.typed("quit? r\n")
	d.waitOutput("read <quit? r>")
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.waitOutput("v2")
	term.typed("again\n")
	d.waitOutput("read <again>")
	d.wait(0, "instance started", ofGen(2)) // devguard knows of it, too
	term.typed("\x03")
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := d.count(0, "instance started"); n != 2 {
		t.Errorf("%d starts: a key was taken from the app, or Ctrl-C for a crash", n)
	}
}

// TestWithoutStdin: the app reads an end of file, not the terminal.
func TestWithoutStdin(t *testing.T) {
	t.Parallel()
	d := run(t, project(t, map[string]string{"main.go": reader}), nil)
	d.waitOutput("end of input")
	d.wait(0, "instance exited", func(l line) bool { return l.int("code") == 0 })
}

// TestInTheBackgroundOfAShell: `devguard run &` neither stops itself nor takes
// the terminal, and the shell's fg brings it back.
func TestInTheBackgroundOfAShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		testneed.Skip(t, "bash", err)
	}
	t.Parallel()
	term := newTerminal(t)
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": server})
	d := prepare(t, dir, []string{"PORT=" + port, "PS1=prompt>", "HISTFILE=", "TERM=dumb"})
	devguard := d.cmd.Path
	d.cmd.Path, d.cmd.Args = bash, []string{"bash", "--norc", "--noprofile", "-i"}
	term.on(d)
	d.cmd.Stdout = term.tty
	d.cmd.Stderr = term.tty
	d.launch()
	term.shows("prompt>")
	term.typed(devguard + " run --log-format json 2>log &\n")
	d.serves("http://127.0.0.1:"+port, "v1")
	term.typed("echo $((6*7))\n")
	term.shows("42")
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves("http://127.0.0.1:"+port, "v2")
	term.typed("jobs; echo $((7*7))\n")
	term.shows("49")
	if strings.Contains(term.screen.String(), "Stopped") {
		t.Errorf("it was stopped:\n%s", term.screen.String())
	}
	term.typed("fg; echo ended $?\n")
	// Only once it is in the foreground does Ctrl-C reach it.
	if !poll(limit, func() bool {
		group, err := unix.IoctlGetInt(term.fd, unix.TIOCGPGRP)
		return err == nil && group != d.cmd.Process.Pid
	}) {
		t.Fatal("fg does nothing")
	}
	term.typed("\x03")
	term.shows("ended 0")
	term.typed("exit\n")
	d.waitEnd()
}

// TestProcessOne: as the first process of a container devguard reaps orphans
// and stops on SIGTERM.
func TestProcessOne(t *testing.T) {
	testneed.Root(t)
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		testneed.Skip(t, "namespace", err)
	}
	if err := exec.Command(unshare, "-pf", "--mount-proc", "true").Run(); err != nil {
		testneed.Skip(t, "namespace", err)
	}
	t.Parallel()
	// The app leaves a child that leaves a child that ends: an orphan, twice.
	orphans := strings.Replace(polite, `	fmt.Println("hello")`, `	exec.Command("sh", "-c", "sh -c 'sleep 0.1; exit 3' & setsid sh -c 'sleep 0.1 & exit' & exit").Run()
	fmt.Println("hello")`, 1)
	orphans = strings.Replace(orphans, `"os"`, "\"os\"\n\t\"os/exec\"", 1)
	dir := project(t, map[string]string{"main.go": orphans})
	d := prepare(t, dir, nil)
	d.cmd.Args = append([]string{unshare, "-pf", "--kill-child", "--mount-proc"}, append([]string{d.cmd.Path}, d.cmd.Args[1:]...)...)
	d.cmd.Path = unshare
	d.start()
	d.waitOutput("hello")
	d.ready()
	var zombies []string
	if !poll(limit, func() bool { zombies = zombiesUnder(d.cmd.Process.Pid); return len(zombies) == 0 }) {
		t.Errorf("zombies: %v", zombies)
	}
	inside := children(d.cmd.Process.Pid)
	if len(inside) != 1 {
		t.Fatalf("children of unshare: %v", inside)
	}
	syscall.Kill(inside[0], syscall.SIGTERM) // unshare itself only waits
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.waitOutput("goodbye")
}
