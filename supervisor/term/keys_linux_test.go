package term

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// role makes the test binary a process on a terminal.
const role = "TERM_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "reader":
		reader()
	case "shell":
		shell()
	}
}

// reader says on stdout what keys it gets, and closes on q.
func reader() {
	k, err := Open(os.Stdin)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer k.Close()
	stops := make(chan os.Signal, 1)
	osproc.NotifyJobStop(stops)
	go func() {
		for range stops {
			k.GiveBack()
			osproc.StopSelf()
		}
	}()
	fmt.Println("open")
	for r := range k.Keys() {
		fmt.Println("key", string(r))
		if r == 'q' {
			k.Close()
			fmt.Println("closed")
			return
		}
	}
	fmt.Println("hung up")
}

// shell starts a reader as a background job of its terminal, and puts it into
// the foreground, stops it and so on as file 3 says.
func shell() {
	signal.Ignore(unix.SIGTTOU)
	job := exec.Command(os.Args[0])
	job.Env = append(os.Environ(), role+"=reader")
	job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, os.Stderr
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := job.Start(); err != nil {
		fmt.Println(err)
		return
	}
	commands := bufio.NewScanner(os.NewFile(3, "commands"))
	for commands.Scan() {
		pgrp := unix.Getpgrp()
		if commands.Text() == "fg" {
			pgrp = job.Process.Pid
		}
		if err := unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pgrp); err != nil {
			fmt.Println(err)
		}
		fmt.Println("done", commands.Text())
	}
	job.Process.Kill()
	job.Wait()
}

// session is a process that leads the session of a pseudo-terminal.
type session struct {
	t        *testing.T
	pty, tty *os.File
	commands *os.File // of a shell
	cmd      *exec.Cmd
	lines    chan string
	before   unix.Termios
}

// start opens a pseudo-terminal and starts a process on it.
func start(t *testing.T, as string) *session {
	t.Helper()
	s := &session{t: t, lines: make(chan string, 100)}
	s.pty, s.tty = openPty(t)
	s.before = s.modes()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.commands = w
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), role+"="+as)
	s.cmd.Stdin = s.tty
	s.cmd.ExtraFiles = []*os.File{r}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	scanned := make(chan struct{})
	go func() {
		defer close(scanned)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			s.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		w.Close()
		s.pty.Close()
		unix.Kill(s.cmd.Process.Pid, unix.SIGCONT)
		<-scanned
		s.cmd.Wait()
	})
	return s
}

func openPty(t *testing.T) (pty, tty *os.File) {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testneed.Skip(t, "pty", err)
	}
	if err := unix.IoctlSetPointerInt(int(pty.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(pty.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pty.Close(); tty.Close() })
	return pty, tty
}

func (s *session) modes() unix.Termios {
	s.t.Helper()
	m, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *m
}

// says waits for lines from the process.
func (s *session) says(want ...string) {
	s.t.Helper()
	for _, w := range want {
		select {
		case got := <-s.lines:
			if got != w {
				s.t.Fatalf("it says %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			s.t.Fatalf("it never says %q", w)
		}
	}
}

// both waits for a line of the shell's and one of the reader's, of which either may come first.
func (s *session) both(want ...string) {
	s.t.Helper()
	for range len(want) {
		select {
		case got := <-s.lines:
			i := slices.Index(want, got)
			if i < 0 {
				s.t.Fatalf("it says %q, want %q", got, want)
			}
			want = slices.Delete(want, i, i+1)
		case <-time.After(10 * time.Second):
			s.t.Fatalf("it never says %q", want)
		}
	}
}

func (s *session) types(keys string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// eventually polls until ok.
func (s *session) eventually(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("never: %s", what)
		}
	}
}

func (s *session) cbreak() bool   { return s.modes().Lflag&(unix.ICANON|unix.ECHO) == 0 }
func (s *session) asBefore() bool { return s.modes() == s.before }

// state is the process state of proc_pid_stat(5), like T for stopped.
func state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return string(rest[:min(1, len(rest))])
}

func TestKeysOneByOne(t *testing.T) {
	s := start(t, "reader")
	s.says("open")
	m := s.modes()
	if !s.cbreak() || m.Lflag&unix.ISIG == 0 || m.Oflag != s.before.Oflag || m.Iflag != s.before.Iflag {
		t.Errorf("modes %+v, before %+v", m, s.before)
	}
	s.types("r")
	s.says("key r")
	s.types("\x1b[A?x")
	s.says("key ?", "key x")
	s.types("q")
	s.says("key q", "closed")
	if !s.asBefore() {
		t.Errorf("modes %+v, before %+v", s.modes(), s.before)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if n, err := unix.IoctlGetInt(int(s.pty.Fd()), unix.TIOCINQ); n != 0 || err != nil {
		t.Errorf("%d bytes were echoed (%v)", n, err)
	}
}

func TestInterruptStaysASignal(t *testing.T) {
	s := start(t, "reader")
	s.says("open")
	s.types("\x03")
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGINT && exit.ExitCode() != 2 {
		t.Errorf("it ended with %v", err)
	}
}

func TestSuspendAndContinue(t *testing.T) {
	s := start(t, "reader")
	s.says("open")
	for range 3 {
		s.types("\x1a")
		s.eventually("it stops", func() bool { return state(s.cmd.Process.Pid) == "T" })
		if !s.asBefore() {
			t.Fatalf("stopped with modes %+v, before %+v", s.modes(), s.before)
		}
		if err := unix.Kill(s.cmd.Process.Pid, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		s.eventually("keys again", s.cbreak)
		s.types("r")
		s.says("key r")
	}
	// A SIGCONT that followed no stop must not take our modes for the user's.
	if err := unix.Kill(s.cmd.Process.Pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.types("rq")
	s.says("key r", "key q", "closed")
	if !s.asBefore() {
		t.Errorf("modes %+v, before %+v", s.modes(), s.before)
	}
}

// A shell that saw the stop of `kill -STOP` has set the terminal back itself.
func TestContinueAfterAStopThatGaveNoNotice(t *testing.T) {
	s := start(t, "reader")
	s.says("open")
	if err := unix.Kill(s.cmd.Process.Pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.eventually("it stops", func() bool { return state(s.cmd.Process.Pid) == "T" })
	if err := unix.IoctlSetTermios(int(s.tty.Fd()), unix.TCSETS, &s.before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(s.cmd.Process.Pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.eventually("keys again", s.cbreak)
	s.types("q")
	s.says("key q", "closed")
	if !s.asBefore() {
		t.Errorf("modes %+v, before %+v", s.modes(), s.before)
	}
}

func TestBackgroundTouchesNothing(t *testing.T) {
	s := start(t, "shell")
	s.says("open") // the reader, not stopped by SIGTTOU
	s.types("r\n")
	if !s.asBefore() {
		t.Errorf("modes %+v, before %+v", s.modes(), s.before)
	}
	if _, err := s.commands.WriteString("fg\n"); err != nil {
		t.Fatal(err)
	}
	// No SIGCONT: a shell sends none to a job that runs. What was typed
	// before is the line that the shell would have read.
	s.eventually("keys in the foreground", s.cbreak)
	s.both("done fg", "key r")
	if _, err := s.commands.WriteString("bg\n"); err != nil {
		t.Fatal(err)
	}
	s.says("done bg")
	if err := unix.IoctlSetTermios(int(s.tty.Fd()), unix.TCSETS, &s.before); err != nil {
		t.Fatal(err)
	}
	s.types("x\n") // wakes it; must neither read nor stop nor change
	if _, err := s.commands.WriteString("fg\n"); err != nil {
		t.Fatal(err)
	}
	s.eventually("keys in the foreground", s.cbreak)
	s.both("done fg", "key x")
}

func TestHangUpEndsTheKeys(t *testing.T) {
	s := start(t, "reader")
	s.says("open")
	s.pty.Close()
	// SIGHUP of the kernel ends it, or it has seen the end before.
	select {
	case got := <-s.lines:
		if got != "hung up" {
			t.Errorf("it says %q", got)
		}
	case <-exited(s.cmd):
	}
}

func exited(cmd *exec.Cmd) <-chan struct{} {
	done := make(chan struct{})
	go func() { defer close(done); cmd.Process.Wait() }()
	return done
}

// Without a controlling terminal the keys belong to somebody else.
func TestOpenRefuses(t *testing.T) {
	_, tty := openPty(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, f := range map[string]*os.File{"nil": nil, "not a terminal": null, "not ours": tty} {
		if k, err := Open(f); !errors.Is(err, ErrNoTerminal) || k != nil {
			t.Errorf("%s: %v %v", name, k, err)
		}
	}
}

func TestTerminal(t *testing.T) {
	_, tty := openPty(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !IsTerminal(tty) {
		t.Error("a pseudo-terminal is none")
	}
	if IsTerminal(null) || IsTerminal(nil) {
		t.Error("the null device is a terminal")
	}
}
