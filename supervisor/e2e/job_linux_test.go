package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// typist has a terminal without line editing and echo of its own, like a REPL, and says what it
// reads. It leaves the terminal as it is, however it ends: by what is typed, or by SIGTERM.
const typist = `package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func stty(args ...string) string {
	cmd := exec.Command("stty", args...)
	cmd.Stdin = os.Stdin
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Println(err)
	}
	return string(out)
}

func main() {
	os.WriteFile("pid", []byte(fmt.Sprint(os.Getpid())), 0o644)
	fmt.Printf("v1 begins with icanon=%v isig=%v\n", !strings.Contains(stty("-a"), "-icanon"), !strings.Contains(stty("-a"), "-isig"))
	stty(strings.Fields(os.Getenv("MODES"))...)
	fmt.Println("listens")
	for b := make([]byte, 1); ; {
		if n, err := os.Stdin.Read(b); n == 0 {
			fmt.Println(err)
			os.Exit(4)
		}
		fmt.Printf("read %q\n", b)
		switch b[0] {
		case 'x':
			os.Exit(3)
		case 'k':
			p, _ := os.FindProcess(os.Getpid())
			p.Kill()
			select {}
		case 'c':
			conts := make(chan os.Signal, 1)
			signal.Notify(conts, syscall.SIGCONT)
			fmt.Println("asked for SIGCONT")
			go func() {
				<-conts
				fmt.Println("continued")
			}()
		case 'm':
			fmt.Printf("now icanon=%v\n", !strings.Contains(stty("-a"), "-icanon"))
		}
	}
}
`

func (term *terminal) modes() unix.Termios {
	term.t.Helper()
	m, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return *m
}

// TestRawTerminalIsTakenBack: whenever an app that has the terminal does not run, the terminal has
// the modes it had before, so that Ctrl-C is one.
func TestRawTerminalIsTakenBack(t *testing.T) {
	for name, keys := range map[string]string{"exits": "x", "is killed": "k"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTerminal(t)
			before := term.modes()
			dir := project(t, map[string]string{
				"main.go": typist, "devguard.toml": "[app]\nstdin = true\nrestart_on_crash = false\n",
			})
			d := term.on(prepare(t, dir, []string{"MODES=raw -echo"}))
			d.start()
			d.waitOutput("listens")
			if term.modes() == before {
				t.Fatal("the app has changed nothing")
			}
			edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
			d.waitOutput("v2 begins with icanon=true isig=true")
			poll(limit, func() bool { return strings.Count(d.out.String(), "listens") == 2 })
			d.wait(0, "instance started", ofGen(2)) // devguard knows of it, too
			mark := d.mark()
			term.typed(keys)
			d.wait(mark, "instance exited", ofGen(2))
			if got := term.modes(); got != before {
				t.Errorf("after the exit %+v, before the start %+v", got, before)
			}
			term.typed("\x03")
			if code := d.waitEnd(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if got := term.modes(); got != before {
				t.Errorf("at the end %+v, at first %+v", got, before)
			}
		})
	}
}

// TestRawTerminalAtTheEnd: devguard is told to end while the app has the terminal.
func TestRawTerminalAtTheEnd(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	before := term.modes()
	dir := project(t, map[string]string{"main.go": typist, "devguard.toml": "[app]\nstdin = true\n"})
	d := term.on(prepare(t, dir, []string{"MODES=raw -echo"}))
	d.start()
	d.waitOutput("listens")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := term.modes(); got != before {
		t.Errorf("at the end %+v, at first %+v", got, before)
	}
}

// inBash starts an interactive bash on a terminal and types a command line of devguard, whose
// log goes to the file log.
func inBash(t *testing.T, term *terminal, dir string, env ...string) *devguard {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		testneed.Skip(t, "bash", err)
	}
	d := prepare(t, dir, append(env, "PS1=prompt>", "HISTFILE=", "TERM=dumb"))
	devguard := d.cmd.Path
	d.cmd.Path, d.cmd.Args = bash, []string{"bash", "--norc", "--noprofile", "-i"}
	term.on(d)
	d.cmd.Stdout, d.cmd.Stderr = term.tty, term.tty
	d.launch()
	term.shows("prompt>")
	term.typed(devguard + " run --log-format json 2>log\n")
	return d
}

// writtenPid is what the app has written down.
func writtenPid(t *testing.T, dir string) (pid int) {
	t.Helper()
	poll(limit, func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ = strconv.Atoi(string(text))
		return pid != 0
	})
	return pid
}

// taken waits until devguard, whose log goes to a file, has taken up the start of its app.
func taken(t *testing.T, dir string) {
	t.Helper()
	if !poll(limit, func() bool {
		return strings.Contains(readFile(t, filepath.Join(dir, "log")), `"msg":"instance started"`)
	}) {
		t.Fatalf("the start is not told\n%s", readFile(t, filepath.Join(dir, "log")))
	}
}

// state is the process state of proc_pid_stat(5), like T for stopped.
func state(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:min(1, len(rest))]
}

// TestCtrlZ stops the app with devguard, and fg continues both.
func TestCtrlZ(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	source := strings.Replace(polite, `fmt.Println("hello")`,
		`os.WriteFile("pid", []byte(fmt.Sprint(os.Getpid())), 0o644); fmt.Println("hello")`, 1)
	dir := project(t, map[string]string{"main.go": source})
	d := inBash(t, term, dir)
	term.shows("hello")
	pid := writtenPid(t, dir)
	taken(t, dir)
	for i := range 2 {
		term.typed("\x1a")
		if !poll(limit, func() bool { return strings.Count(term.screen.String(), "Stopped") == i+1 }) {
			t.Fatalf("devguard does not stop\n%s", term.screen.String())
		}
		if !poll(limit, func() bool { return state(pid) == "T" }) {
			t.Errorf("the app is %s", state(pid))
		}
		term.typed("fg; echo ended $?\n")
		if !poll(limit, func() bool { return state(pid) == "S" }) {
			t.Fatalf("the app is %s after fg", state(pid))
		}
	}
	term.typed("\x03")
	term.shows("goodbye")
	term.shows("ended 0")
	term.typed("exit\n")
	d.waitEnd()
}

// TestCtrlZAtTheApp: the app has the terminal, and Ctrl-Z reaches nobody else. The shell gets the
// terminal, and fg gives it back to the app, with the app's modes.
func TestCtrlZAtTheApp(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	dir := project(t, map[string]string{"main.go": typist, "devguard.toml": "[app]\nstdin = true\n"})
	d := inBash(t, term, dir, "MODES=-icanon -echo")
	term.shows("listens")
	pid := writtenPid(t, dir)
	taken(t, dir)
	term.typed("1")
	term.shows(`read "1"`)
	term.typed("\x1a")
	term.shows("Stopped")
	if got := state(pid); got != "T" {
		t.Errorf("the app is %s", got)
	}
	term.typed("echo $((6*7))\n")
	term.shows("42")
	term.typed("fg; echo ended $?\n")
	if !poll(limit, func() bool { return state(pid) == "S" }) {
		t.Fatalf("the app is %s after fg", state(pid))
	}
	term.typed("m")
	term.shows("now icanon=false")
	term.typed("\x03")
	term.shows("ended 0")
	term.typed("exit\n")
	d.waitEnd()
}

// TestCtrlZWithoutAShell does nothing, as everywhere where nobody could continue what is stopped.
func TestCtrlZWithoutAShell(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	d := term.on(prepare(t, project(t, map[string]string{"main.go": polite}), nil))
	d.start()
	d.ready()
	mark := d.mark()
	term.typed("\x1a?")
	d.waitRaw(mark, "keys: r")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestCtrlZAtTheAppWithoutAShell: what the terminal has stopped goes on at once.
func TestCtrlZAtTheAppWithoutAShell(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	dir := project(t, map[string]string{"main.go": typist, "devguard.toml": "[app]\nstdin = true\n"})
	d := term.on(prepare(t, dir, []string{"MODES=-icanon -echo"}))
	d.start()
	d.ready() // after the SIGCONT that follows the loan of the terminal
	d.waitOutput("listens")
	term.typed("c")
	d.waitOutput("asked for SIGCONT")
	term.typed("\x1a")
	// A key that comes before all of the app's threads have stopped may start an stty that no signal
	// has been sent to, which sees the modes of whoever has the terminal meanwhile.
	d.waitOutput("continued")
	term.typed("m")
	d.waitOutput("now icanon=false")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
