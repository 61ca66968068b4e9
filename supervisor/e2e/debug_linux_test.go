package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// debugged is an app that ends in order.
const debugged = `package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const version = "v1"

func main() {
	started()
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	var serving sync.WaitGroup
	serve := func(c net.Conn) {
		for in := bufio.NewScanner(c); in.Scan() && in.Text() != ""; {
		}
		answer := fmt.Sprint(version, " pid=", os.Getpid())
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		c.Close()
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(c) })
		}
	}()
	<-asked
	l.Close()
	serving.Wait()
	fmt.Println("ended in order", version)
	os.Exit(3)
}

func started() {
	in, _ := io.ReadAll(os.Stdin)
	fmt.Println("started", os.Args[1:], os.Getenv("DEVGUARD_GEN"), len(in))
	if os.Getenv("PSQL") != "" {
		psql := exec.Command("psql", os.Getenv("DATABASE_URL"), "-c", "select pg_sleep(600)")
		psql.Stderr = os.Stderr
		psql.Start()
	}
	if os.Getenv("PANIC") == version {
		time.Sleep(10 * time.Millisecond)
		panic("as asked")
	}
}
`

// patient is a grace in which every app ends that ends at all.
const patient = "[app]\ngrace = \"50s\"\n"

// lineOf is the line of debugged that has that text first.
func lineOf(text string) int {
	return 1 + strings.Count(debugged[:strings.Index(debugged, text)], "\n")
}

// answerLine is where the answer is made.
var answerLine = lineOf("answer := ")

// debugTools are dlv and the client of testdata/debug, which the go command builds and keeps.
var debugTools = sync.OnceValues(func() (tools map[string]string, err error) {
	tools = map[string]string{}
	for _, name := range []string{"dlv", "attach"} {
		cmd := exec.Command("go", "tool", "-n", name)
		cmd.Dir = "testdata/debug"
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go tool -n %s: %w", name, err)
		}
		tools[name] = strings.TrimSpace(string(out))
	}
	return tools, nil
})

// debug is run, but for devguard debug, with Delve listening at a port of its own.
func debug(t *testing.T, dir string, env []string, args ...string) (d *devguard, listen string) {
	t.Helper()
	tools, err := debugTools()
	if err != nil {
		testneed.Skip(t, "dlv", err)
	}
	listen = "127.0.0.1:" + freePort(t)
	env = append([]string{"DLV=" + tools["dlv"], "PATH=" + filepath.Dir(tools["dlv"]) + ":" + os.Getenv("PATH")}, env...)
	d = prepare(t, dir, env, append([]string{"--listen", listen}, args...)...)
	d.cmd.Args[1] = "debug"
	d.start()
	return d, listen
}

// editor is an editor that has attached; see testdata/debug/attach.
type editor struct {
	d    *devguard
	in   io.WriteCloser
	said chan string
}

// attach has an editor set a breakpoint.
func (d *devguard) attach(listen, file string, line int) *editor {
	d.t.Helper()
	e := d.connect(listen, file, line)
	e.says("set " + strconv.Itoa(line))
	return e
}

// connect has an editor connect that is about to set a breakpoint.
func (d *devguard) connect(listen, file string, line int) *editor {
	d.t.Helper()
	tools, err := debugTools()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(tools["attach"], listen, file, strconv.Itoa(line))
	cmd.Stderr = d.t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	e := &editor{d, in, make(chan string, 100)}
	go func() {
		defer close(e.said)
		for s := bufio.NewScanner(out); s.Scan(); {
			e.said <- s.Text()
		}
	}()
	d.t.Cleanup(func() {
		cmd.Process.Kill()
		for range e.said { // to its end
		}
		cmd.Wait()
	})
	e.says("connected")
	return e
}

// says waits for a line, which the next one must be. A server that is about to end may take a
// connection, and the editor connects once more.
func (e *editor) says(want string) {
	e.d.t.Helper()
	for {
		select {
		case got, ok := <-e.said:
			if got == want {
				return
			}
			if got != "connected" {
				e.d.t.Fatalf("the editor says %q (%v), want %q\n%s", got, ok, want, e.d.log())
			}
		case <-time.After(limit):
			e.d.t.Fatalf("the editor does not say %q\n%s", want, e.d.log())
		}
	}
}

func (e *editor) goOn() { io.WriteString(e.in, "go on\n") }

// asks has somebody ask the app, whose answer may take its time.
func asks(url string) <-chan string {
	answer := make(chan string, 1)
	go func() { answer <- get(url) }()
	return answer
}

func (d *devguard) answers(answer <-chan string, want string) {
	d.t.Helper()
	select {
	case got := <-answer:
		if !strings.HasPrefix(got, want+" ") {
			d.t.Errorf("answered %q, want %q\n%s", got, want, d.log())
		}
	case <-time.After(limit):
		d.t.Fatalf("no answer\n%s", d.log())
	}
}

// TestDebug: an editor finds the app at the same port after each restart, its breakpoint is hit in the
// line that was saved last, and a request that stands there is answered before the app ends. Delve's own
// port is none of the app's.
func TestDebug(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": debugged, "devguard.toml": patient})
	main, port := filepath.Join(dir, "main.go"), freePort(t)
	url := "http://127.0.0.1:" + port
	d, listen := debug(t, dir, []string{"PORT=" + port}, ".", "--", "-a", "b c")
	if l := d.ready(); !l.readyBy("listening") {
		t.Errorf("ready by %q", l.str("rule"))
	}
	if want := "started [-a b c] 1 0\n"; d.out.String() != want {
		t.Errorf("the app says %q, want %q", d.out.String(), want)
	}
	status, _ := exec.Command(binary(t), "status", "-C", dir).Output()
	if !strings.Contains(string(status), "listening on 127.0.0.1:"+port+"\n") || !strings.Contains(string(status), "editors attach to "+listen+"\n") {
		t.Errorf("status says %s", status)
	}
	for gen := 1; gen <= 2; gen++ {
		line := answerLine + gen - 1
		e := d.attach(listen, main, line) // the second one while the app is being restarted
		answer := asks(url)
		e.says("hit main.go:" + strconv.Itoa(line))
		e.goOn()
		d.answers(answer, fmt.Sprint("v", gen))

		answer = asks(url)
		e.says("hit main.go:" + strconv.Itoa(line))
		mark := d.mark()
		edit(t, main, fmt.Sprintf("const version = \"v%d\"", gen), fmt.Sprintf("\nconst version = \"v%d\"", gen+1))
		d.answers(answer, fmt.Sprint("v", gen))
		exited := d.wait(mark, "instance exited", nil)
		if exited.int("code") != 3 || !strings.Contains(d.out.String(), fmt.Sprintf("ended in order v%d\n", gen)) {
			t.Errorf("ended with %s\n%s", exited.Raw, d.log())
		}
	}
	d.serves(url, "v3 ")
}

// slowDelve is a dlv that starts only when there is no file $SLOW, and says by another that it waits.
const slowDelve = `#!/bin/sh
if [ -e "$SLOW" ]; then
	: > "$SLOW.waits"
	while [ -e "$SLOW" ]; do sleep 0.02; done
fi
exec "$DLV" "$@"
`

// TestDebugInMain: an editor that attaches while there is no server waits, and the app does not run
// before it has set its breakpoints, so that it stands in main. That is no start that takes too long.
func TestDebugInMain(t *testing.T) {
	t.Parallel()
	bin, port := t.TempDir(), freePort(t)
	dir := project(t, map[string]string{"main.go": debugged, "devguard.toml": patient + "[ready]\ntcp = \"127.0.0.1:" + port + "\"\ntimeout = \"10s\"\n"})
	main, slow := filepath.Join(dir, "main.go"), filepath.Join(bin, "slow")
	saveWholeAs(t, filepath.Join(bin, "dlv"), slowDelve, 0o755)
	d, listen := debug(t, dir, []string{"PORT=" + port, "SLOW=" + slow, "PATH=" + bin + ":" + os.Getenv("PATH")}, ".")
	d.ready()
	write(t, slow, "")
	mark := d.mark()
	edit(t, main, `"v1"`, `"v2"`)
	if !poll(limit, func() bool { _, err := os.Stat(slow + ".waits"); return err == nil }) {
		t.Fatal("dlv was not started")
	}
	line := lineOf("started()")
	e := d.connect(listen, main, line)
	os.Remove(slow)
	e.says("set " + strconv.Itoa(line))
	e.says("hit main.go:" + strconv.Itoa(line))
	wait := exec.Command(binary(t), "wait", "-C", dir, "--timeout", "12s")
	if out, err := wait.CombinedOutput(); wait.ProcessState.ExitCode() != 3 {
		t.Errorf("wait: %v\n%s", err, out)
	}
	e.goOn()
	d.wait(mark, "instance ready", nil)
}

// TestDebugEnds: of an app that stands at a breakpoint nothing is left: no dlv, no app, no program.
func TestDebugEnds(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		name string
		sig  syscall.Signal
	}{{"ctrl-c", syscall.SIGINT}, {"kill -9", syscall.SIGKILL}} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			dir, port := project(t, map[string]string{"main.go": debugged, "devguard.toml": patient}), freePort(t)
			d, listen := debug(t, dir, []string{"PORT=" + port}, ".")
			d.ready()
			e := d.attach(listen, filepath.Join(dir, "main.go"), answerLine)
			asks("http://127.0.0.1:" + port)
			e.says("hit main.go:" + strconv.Itoa(answerLine))
			if err := d.cmd.Process.Signal(how.sig); err != nil {
				t.Fatal(err)
			}
			<-d.ended
			d.nothingLeft()
			if how.sig == syscall.SIGKILL {
				return
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "[^.]*")); len(left) != 3 {
				t.Errorf("beside devguard.toml, go.mod and main.go there are %v", left)
			}
		})
	}
}

// TestDebugStubborn: an app that does not stop is killed after its grace, and dlv with it.
func TestDebugStubborn(t *testing.T) {
	t.Parallel()
	source := strings.Replace(debugged, "<-asked", "for range asked {\n\t}", 1)
	dir := project(t, map[string]string{"main.go": source, "devguard.toml": "[app]\ngrace = \"200ms\"\n"})
	d, _ := debug(t, dir, []string{"PORT=" + freePort(t)})
	d.ready()
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	if l := d.wait(mark, "instance exited", nil); l.str("signal") != "SIGKILL" {
		t.Errorf("ended with %s", l.Raw)
	}
	d.wait(mark, "instance ready", nil)
}

// TestDebugPanic: where no debugger is attached, a panic is the app's end as it is without Delve, and a
// start that stands at a breakpoint is no failed one.
func TestDebugPanic(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": debugged, "devguard.toml": "[app]\nrestart_on_crash = false\n"})
	d, _ := debug(t, dir, []string{"PORT=" + freePort(t), "PANIC=v1"})
	if l := d.wait(0, "instance exited", nil); l.int("code") != 2 {
		t.Errorf("ended with %s", l.Raw)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.wait(mark, "instance ready", nil)
}

// TestDebugTaken: dlv cannot listen where somebody else does, which is said.
func TestDebugTaken(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": debugged, "devguard.toml": "[app]\nrestart_on_crash = false\n"})
	first, listen := debug(t, dir, []string{"PORT=" + freePort(t)})
	first.ready()
	d, _ := debug(t, dir, []string{"PORT=" + freePort(t)}, "--name", "other", "--listen", listen)
	_, port, _ := strings.Cut(listen, ":")
	if exited := d.wait(0, "instance exited", nil); exited.int("code") != 1 {
		t.Errorf("ended with %s", exited.Raw)
	}
	why := regexp.MustCompile("port " + port + " is in use by process .* have Delve listen elsewhere")
	if !poll(limit, func() bool { return why.MatchString(d.log()) }) {
		t.Error("it is not said who has the port")
	}
}

// TestDebugDatabase: the guard ends the sessions of an app under Delve, and clients wait through its
// restart, as they do without.
func TestDebugDatabase(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("psql"); err != nil {
		testneed.Skip(t, "psql", err)
	}
	s := pgtest.Start(t)
	s.CreateRole(t, "dev", dbPassword, "")
	s.CreateDB(t, "app", "dev")
	dir, port := project(t, map[string]string{"main.go": debugged}), freePort(t)
	d, _ := debug(t, dir, []string{"PORT=" + port, "PSQL=yes", "DATABASE_URL=" + s.URL(dev)})
	d.ready()
	conn := session(t, s.URL(dev))
	if !poll(limit, func() bool {
		res, err := conn.Exec(t.Context(), "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(600)'").ReadAll()
		return err == nil && string(res[0].Rows[0][0]) == "1"
	}) {
		t.Fatal("the app has no session")
	}
	c := newClients(4, "http://127.0.0.1:"+port)
	c.serveMore(t, 10)
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	if l := d.wait(mark, "drained", nil); l.int("sessions") != 1 || l.int("left") != 0 {
		t.Errorf("drained %s", l.Raw)
	}
	d.wait(mark, "instance ready", nil)
	c.serveMore(t, 10)
	if res := c.stop(); res.refused+res.other > 0 {
		t.Errorf("clients: %s\n%s", res, d.log())
	}
}

// TestDebugMissing: without Delve the command that installs it is said, before anything is built.
func TestDebugMissing(t *testing.T) {
	t.Parallel()
	dir, bin := project(t, map[string]string{"main.go": debugged}), t.TempDir()
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + filepath.Dir(goCommand), "GOPATH=" + t.TempDir(), "GOBIN=" + bin, "GOFLAGS=-modcacherw"}
	cmd := exec.Command(binary(t), "debug", "-C", dir)
	cmd.Env = append(cleanEnv(), env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	_, hint, _ := strings.Cut(string(out), "devguard: hint: install it: ")
	if want := "go install github.com/go-delve/delve/cmd/dlv@latest\n"; hint != want {
		t.Fatalf("the hint is %q\n%s", hint, out)
	}
	if !*campaign {
		return
	}
	words := strings.Fields(hint)
	install := exec.Command(words[0], words[1:]...)
	install.Env = cmd.Env
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", hint, err, out)
	}
	d := prepare(t, dir, append(env, "PORT="+freePort(t)), "--listen", freePort(t))
	d.cmd.Args[1] = "debug"
	d.start()
	d.ready()
}
