package drivers

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// users is how many rows the table users has.
const users = 1000

// ending is how a process of the app ends.
type ending int

const (
	clean  ending = iota // SIGTERM: it ends what it does and closes its sessions
	killed               // SIGKILL in the middle of its work
)

// program is the app with one driver.
type program struct {
	name string
	args func(t *testing.T, queries int) []string
	env  func(t *testing.T) []string // more than DATABASE_URL; may be nil
}

func goProgram(driver string) program {
	return program{name: driver, args: func(_ *testing.T, queries int) []string {
		return []string{app, "-driver", driver, "-queries", strconv.Itoa(queries), "-users", strconv.Itoa(users)}
	}}
}

// process is one run of a program.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	bad   map[string]int // why queries failed, and how often
}

// start runs the program, and ends it when the test has not done so in time.
func (p program) start(t *testing.T, env []string, queries int) *process {
	t.Helper()
	args := p.args(t, queries)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	cmd.Stderr = t.Output()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
	})
	return &process{cmd: cmd, lines: bufio.NewScanner(out), bad: map[string]int{}}
}

// await reads what the app says up to a word, or to its end when the word is "".
func (p *process) await(t *testing.T, word string) {
	t.Helper()
	for p.lines.Scan() {
		why, bad := strings.CutPrefix(p.lines.Text(), "bad: ")
		switch {
		case bad:
			p.bad[why]++
		case p.lines.Text() == word:
			return
		}
	}
	if err := p.lines.Err(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if word != "" {
		t.Fatalf("the app ended before it was %s: %v", word, p.cmd.Wait())
	}
}

// end ends the app as how says. What it answered badly up to its end counts.
func (p *process) end(t *testing.T, how ending) {
	t.Helper()
	if how == killed {
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.await(t, "")
		_ = p.cmd.Wait() // says that it was killed
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "stopped")
	p.await(t, "")
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the app was told to stop: %v", err)
	}
}
