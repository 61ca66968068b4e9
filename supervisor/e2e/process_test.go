package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// when is the time that devguard wrote into a line.
func (l line) when(t *testing.T) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, l.str("time"))
	if err != nil {
		t.Fatalf("a line without a time: %s", l.Raw)
	}
	return at
}

// waitOutput waits until the app's stdout contains want.
func (d *devguard) waitOutput(want string) {
	d.t.Helper()
	if !poll(limit, func() bool { return strings.Contains(d.out.String(), want) }) {
		d.t.Fatalf("the app does not say %q\n%s", want, d.log())
	}
}

// waitRaw waits for a line of stderr from mark on that contains want.
func (d *devguard) waitRaw(mark int, want string) {
	d.t.Helper()
	has := func(l line) bool { return strings.Contains(l.Raw, want) }
	if !poll(limit, func() bool { return slices.ContainsFunc(d.since(mark), has) }) {
		d.t.Fatalf("no line with %q\n%s", want, d.log())
	}
}

// kill is `kill -9` of devguard alone.
func (d *devguard) kill() {
	d.t.Helper()
	d.cmd.Process.Kill()
	d.waitEnd()
}

// hasEnded reports whether devguard has ended.
func (d *devguard) hasEnded() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// waitEnd waits until devguard has ended and returns its exit code.
func (d *devguard) waitEnd() int {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(limit):
		d.t.Fatalf("devguard does not end\n%s", d.log())
	}
	return d.cmd.ProcessState.ExitCode()
}

// free fails the test if the port is taken.
func free(t *testing.T, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Errorf("the port is not free: %v", err)
		return
	}
	l.Close()
}

// app is a program from testdata/apps, as the source of a project.
func app(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "apps", name, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// slowly returns the build flag that lets each compiler and linker run sleep
// first, in a process of its own, so that a build lasts.
func slowly(t *testing.T, seconds string) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "slow")
	write(t, tool, "#!/bin/sh\ncase \"$*\" in *-V=full*) ;; *) sleep "+seconds+" ;; esac\nexec \"$@\"\n")
	if err := os.Chmod(tool, 0o755); err != nil {
		t.Fatal(err)
	}
	return "-toolexec=" + tool
}

// deaf serves, and takes no notice of being asked to end; so does its child in
// a session of its own.
var deaf = strings.NewReplacer(
	`import (`, "import (\n\t\"os/exec\"\n\t\"os/signal\"\n\t\"syscall\"",
	"func main() {\n", `func main() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	if len(os.Args) > 1 {
		select {}
	}
	child := exec.Command(os.Args[0], "child")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Start()
`).Replace(server)

// TestKill9LeavesNothing kills devguard in every phase.
func TestKill9LeavesNothing(t *testing.T) {
	source := func(d *devguard, dir string) { edit(d.t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`) }
	for name, tt := range map[string]struct {
		grace string
		toml  string
		until func(d *devguard, dir string) // brings devguard into the phase
	}{
		"idle": {"300ms", "", func(*devguard, string) {}},
		"building": {"300ms", "[build]\nflags = ['SLOW']\n", func(d *devguard, dir string) {
			mark := d.mark()
			source(d, dir)
			d.wait(mark, "build started", nil)
			poll(limit, func() bool { return len(d.running("sleep 1.5")) > 0 })
		}},
		"hooking": {"300ms", "[[hook]]\nname = 'slow'\nwatch = ['x.txt']\nrun = 'test ! -e x.txt || sleep 3600'\n", func(d *devguard, dir string) {
			write(d.t, filepath.Join(dir, "x.txt"), "x")
			poll(limit, func() bool { return len(d.running("sleep 3600")) > 0 })
		}},
		"starting": {"300ms", "", func(d *devguard, dir string) {
			mark := d.mark()
			source(d, dir)
			d.wait(mark, "instance exited", nil)
		}},
		"stopping": {"4s", "", func(d *devguard, dir string) {
			mark := d.mark()
			source(d, dir)
			d.wait(mark, "instance stopping", nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			dir := project(t, map[string]string{"main.go": deaf})
			write(t, filepath.Join(dir, "devguard.toml"), "[app]\ngrace = '"+tt.grace+"'\n"+strings.Replace(tt.toml, "SLOW", slowly(t, "1.5"), 1))
			first := run(t, dir, []string{"PORT=" + port})
			first.ready()
			tt.until(first, dir)
			first.kill()
			first.nothingLeft()
			free(t, port)

			os.Remove(filepath.Join(dir, "x.txt"))
			next := run(t, dir, []string{"PORT=" + port})
			next.ready()
			next.serves("http://127.0.0.1:"+port, "pid=")
		})
	}
}

// running lists the processes of this devguard whose command line contains a
// text.
func (d *devguard) running(text string) []string {
	return slices.DeleteFunc(d.processes(), func(p string) bool { return !strings.Contains(p, text) })
}

// TestKill9OfDevguardAndGuardians: the next devguard ends what they have left.
func TestKill9OfDevguardAndGuardians(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": deaf, "devguard.toml": "[app]\ngrace = '300ms'\n"})
	first := run(t, dir, []string{"PORT=" + port})
	first.ready()
	victims := append(first.running("guardian --stage"), fmt.Sprint(first.cmd.Process.Pid, ":"))
	if len(victims) < 2 {
		t.Fatalf("no guardian among %v", first.processes())
	}
	for _, v := range victims {
		var pid int
		fmt.Sscanf(v, "%d:", &pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	first.waitEnd()

	next := run(t, dir, []string{"PORT=" + port})
	next.ready()
	next.serves("http://127.0.0.1:"+port, "pid=")
	if left := first.processes(); len(left) > 0 {
		t.Errorf("left of the first devguard: %v", left)
	}
}

// TestStubbornAppIsReplaced within its grace and 0.2 s, by the clock of the
// log, if the machine has time for it once.
func TestStubbornAppIsReplaced(t *testing.T) {
	const grace, rounds = 300 * time.Millisecond, 5
	dir := project(t, map[string]string{
		"main.go":       app(t, "stubborn"),
		"devguard.toml": "[app]\ngrace = '300ms'\n",
	})
	d := run(t, dir, nil)
	d.ready()
	var took []time.Duration
	for i := range rounds {
		mark := d.mark()
		edit(t, filepath.Join(dir, "main.go"), "fmt.Println(", fmt.Sprintf("fmt.Println(%d, ", i))
		stopping := d.wait(mark, "instance stopping", nil).when(t)
		started := d.wait(mark, "instance started", nil)
		took = append(took, started.when(t).Sub(stopping))
		exited := d.wait(mark, "instance exited", nil)
		if exited.str("signal") != "SIGKILL" || exited.int("code") != -1 {
			t.Errorf("it ended by itself: %s", exited.Raw)
		}
		// Between fork and exec the child still has its parent's command line.
		alone := func() bool { return len(d.running("/app/")) == 2 && len(d.running("/app child")) == 1 }
		if !poll(limit, alone) {
			t.Errorf("processes after a restart: %v, children: %v", d.running("/app/"), d.running("/app child"))
		}
	}
	slices.Sort(took)
	t.Logf("from stopping to started: %v", took)
	// In a campaign, on a machine of its own, P5 holds for most; beside other tests it takes what it takes.
	if took[0] < grace || *campaign && took[rounds/2] > grace+200*time.Millisecond {
		t.Errorf("replaced after %v, the grace is %v", took, grace)
	}
}

// TestSecondInterruptKillsNow: the first Ctrl-C waits for the app, the second
// does not.
func TestSecondInterruptKillsNow(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": app(t, "stubborn"), "devguard.toml": "[app]\ngrace = '1h'\n"})
	d := run(t, dir, nil)
	d.wait(0, "instance started", nil)
	d.waitOutput("\n") // it ignores signals by now
	d.cmd.Process.Signal(syscall.SIGINT)
	d.wait(0, "instance stopping", nil)
	poll(limit, func() bool { // until one is too late to be the echo of the first
		d.cmd.Process.Signal(syscall.SIGINT)
		return d.hasEnded()
	})
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if l := d.wait(0, "instance exited", nil); l.str("signal") != "SIGKILL" {
		t.Errorf("the app was not killed: %s", l.Raw)
	}
}

// polite says goodbye when it is asked to end.
const polite = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	fmt.Println("hello")
	<-asked
	time.Sleep(100 * time.Millisecond)
	fmt.Println("goodbye")
}
`

// TestEndingSignals are answered by a graceful stop and exit code 0.
func TestEndingSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := run(t, project(t, map[string]string{"main.go": polite}), nil)
			d.waitOutput("hello")
			d.cmd.Process.Signal(sig)
			if code := d.waitEnd(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			d.waitOutput("goodbye")
			if l := d.wait(0, "instance exited", nil); l.int("code") != 0 || l.str("level") != "INFO" {
				t.Errorf("an exit that was asked for: %s", l.Raw)
			}
		})
	}
}

// TestQuitIsForwarded: the app dumps its goroutines, devguard goes on.
func TestQuitIsForwarded(t *testing.T) {
	t.Parallel()
	d := run(t, project(t, map[string]string{"main.go": polite}), nil)
	d.waitOutput("hello")
	mark := d.mark()
	d.cmd.Process.Signal(syscall.SIGQUIT)
	d.waitRaw(mark, "SIGQUIT: quit")
	d.waitRaw(mark, "main.main()")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 2 })
	d.wait(mark, "instance started", nil)
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestClosedPipes: who reads devguard's output may go away (a pager, tee at
// Ctrl-C); the app is stopped gracefully all the same.
func TestClosedPipes(t *testing.T) {
	t.Parallel()
	said := filepath.Join(t.TempDir(), "said")
	source := strings.Replace(polite, `fmt.Println("goodbye")`, fmt.Sprintf("os.WriteFile(%q, []byte(\"goodbye\"), 0o644)", said), 1)
	d := prepare(t, project(t, map[string]string{"main.go": source}), nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stdout = w
	d.start()
	w.Close()
	d.wait(0, "instance ready", nil)
	r.Close()
	d.stderr.Close()
	d.cmd.Process.Signal(syscall.SIGTERM)
	if code := d.waitEnd(); code != 0 {
		t.Errorf("exit code %d (%v)", code, d.err)
	}
	if data, _ := os.ReadFile(said); string(data) != "goodbye" {
		t.Errorf("the app was not stopped gracefully: %q", data)
	}
}

// TestLogThatNobodyReads: a log that is stuck from its first line on (Ctrl-S at the
// terminal, a reader that does not read) holds up neither a save nor the end.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	dir := project(t, map[string]string{"main.go": server})
	d := prepare(t, dir, []string{"PORT=" + port}, "-v")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 1<<16)) // until it takes no more
	}
	d.cmd.Stderr = w
	d.launch()
	w.Close()
	d.serves(url, "v1")
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves(url, "v2")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
