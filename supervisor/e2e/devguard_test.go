package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/logline/logtest"
)

// limit bounds every wait of these tests: far more than anything needs on a
// slow machine, so that only what never comes fails.
const limit = 60 * time.Second

// campaign asks for the long versions of tests that have one, minutes instead
// of seconds.
var campaign = flag.Bool("campaign", false, "run the long versions of the end-to-end tests")

// devguard is one running `devguard run` and everything it said.
type devguard struct {
	t      *testing.T
	cmd    *exec.Cmd
	marker string // in the environment of all its processes
	out    logtest.Buffer
	stderr *os.File      // what d.read reads
	heard  chan struct{} // closed when d.read has ended; nil when it does not read

	mu    sync.Mutex
	lines []line
	more  chan struct{} // closed and replaced with every line
	ended chan struct{} // closed when it has ended, and all that it said was read
	err   error
}

// line is one line of the JSON log.
type line struct {
	Msg   string
	Attrs map[string]any
	Raw   string
}

func (l line) int(key string) int {
	f, ok := l.Attrs[key].(float64)
	if !ok {
		return -1
	}
	return int(f)
}

func (l line) str(key string) string { s, _ := l.Attrs[key].(string); return s }

// run starts devguard in dir with a JSON log. The test fails if anything of it
// is left when it ends.
func run(t *testing.T, dir string, env []string, args ...string) *devguard {
	t.Helper()
	d := prepare(t, dir, env, args...)
	d.start()
	return d
}

// prepare is run without the start: the command may still be changed.
func prepare(t *testing.T, dir string, env []string, args ...string) *devguard {
	t.Helper()
	d := &devguard{
		t:      t,
		marker: fmt.Sprintf("DEVGUARD_TEST_MARKER=%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano()),
		more:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	d.cmd = exec.Command(binary(t), append([]string{"run", "--log-format", "json"}, args...)...)
	d.cmd.Dir = dir
	// The race detector's exit handler sleeps for a second unless told not to.
	d.cmd.Env = append(cleanEnv(), append(env, d.marker, "GORACE=atexit_sleep_ms=0")...)
	d.cmd.Stdout = &d.out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.WaitDelay = 5 * time.Second
	return d
}

func (d *devguard) start() {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.stderr, d.cmd.Stderr = r, w
	d.heard = make(chan struct{})
	d.launch()
	w.Close()
	go d.read(r)
}

// launch starts the command with the files that it has.
func (d *devguard) launch() {
	d.t.Helper()
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(d.ended)
		if d.err = d.cmd.Wait(); d.heard == nil {
			return
		}
		select {
		case <-d.heard:
		case <-time.After(d.cmd.WaitDelay): // somebody else has the pipe, too
		}
	}()
	d.t.Cleanup(d.cleanUp)
}

// cleanEnv is the environment without what would reach a real database.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "PG") && !strings.Contains(name, "DATABASE_URL") && name != "DIRECT_URL" && name != "PORT" {
			env = append(env, kv)
		}
	}
	return env
}

// read keeps every line of stderr; what is not JSON has an empty Msg.
func (d *devguard) read(r io.Reader) {
	defer close(d.heard)
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		l := line{Raw: scan.Text()}
		if json.Unmarshal(scan.Bytes(), &l.Attrs) == nil {
			l.Msg = l.str("msg")
		}
		d.mu.Lock()
		d.lines = append(d.lines, l)
		close(d.more)
		d.more = make(chan struct{})
		d.mu.Unlock()
	}
}

// mark is a place in the log: waits look at what comes after it.
func (d *devguard) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// since returns the lines from a mark on.
func (d *devguard) since(mark int) []line {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]line(nil), d.lines[mark:]...)
}

// wait returns the first line from mark on with that msg for which ok holds.
func (d *devguard) wait(mark int, msg string, ok func(line) bool) line {
	d.t.Helper()
	return d.waitWithin(limit, mark, msg, ok)
}

// verified waits for the end of a verification, which has the least priority while other tests take all there is.
func (d *devguard) verified(mark int, ok func(line) bool) line {
	d.t.Helper()
	return d.waitWithin(10*limit, mark, "build verified", ok)
}

func (d *devguard) waitWithin(limit time.Duration, mark int, msg string, ok func(line) bool) line {
	d.t.Helper()
	timeout := time.After(limit)
	for at := mark; ; {
		d.mu.Lock()
		more := d.more
		for ; at < len(d.lines); at++ {
			if l := d.lines[at]; l.Msg == msg && (ok == nil || ok(l)) {
				d.mu.Unlock()
				return l
			}
		}
		d.mu.Unlock()
		select {
		case <-more:
		case <-d.ended:
			if d.mark() == at {
				d.t.Fatalf("devguard ended (%v) before %q\n%s", d.err, msg, d.log())
			}
		case <-timeout:
			d.t.Fatalf("no %q within %v\n%s", msg, limit, d.log())
		}
	}
}

// count returns how many lines from mark on have that msg.
func (d *devguard) count(mark int, msg string) int {
	n := 0
	for _, l := range d.since(mark) {
		if l.Msg == msg {
			n++
		}
	}
	return n
}

func (d *devguard) log() string {
	var b strings.Builder
	for _, l := range d.since(0) {
		fmt.Fprintln(&b, l.Raw)
	}
	return b.String() + "--- stdout of the app\n" + d.out.String()
}

// ready waits until the first generation serves.
func (d *devguard) ready() line { d.t.Helper(); return d.wait(0, "instance ready", nil) }

// readyBy reports whether an "instance ready" is by that rule. By default an app that has run for a second is ready,
// too: a busy machine may not have got it to listen by then.
func (l line) readyBy(rule string) bool {
	return l.str("rule") == rule || rule == "listening" && l.str("rule") == "alive" && l.int("ms") >= 1000
}

// stop ends devguard like Ctrl-C and returns its exit code.
func (d *devguard) stop() int {
	d.t.Helper()
	d.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-d.ended:
	case <-time.After(limit):
		d.t.Fatalf("devguard does not stop\n%s", d.log())
	}
	return d.cmd.ProcessState.ExitCode()
}

func (d *devguard) cleanUp() {
	select {
	case <-d.ended:
	default:
		d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.ended:
		case <-time.After(limit):
			d.t.Errorf("devguard does not stop\n%s", d.log())
			d.cmd.Process.Kill()
		}
	}
	d.nothingLeft()
	d.checkLines()
	if strings.Contains(d.log(), "WARNING: DATA RACE") {
		d.t.Error("devguard has a data race")
	}
	if d.t.Failed() {
		d.t.Logf("log of devguard:\n%s", d.log())
	}
}

// nothingLeft waits until no process of this devguard exists, guardians and
// grandchildren included.
func (d *devguard) nothingLeft() {
	d.t.Helper()
	var left []string
	ok := poll(limit, func() bool { left = d.processes(); return len(left) == 0 })
	if !ok {
		d.t.Errorf("processes left behind: %v", left)
	}
}

// processes lists the processes that carry the marker in their environment.
func (d *devguard) processes() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, environ := range dirs {
		data, err := os.ReadFile(environ)
		if err != nil || !bytes.Contains(data, []byte(d.marker)) {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(environ), "cmdline"))
		found = append(found, filepath.Base(filepath.Dir(environ))+":"+strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	return found
}

// poll asks until ok or the time is over.
func poll(d time.Duration, ok func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		if ok() {
			return true
		}
	}
	return ok()
}

// scratch is where the tests of this run keep the programs they build.
var scratch string

// TestMain moves to the module's root: the paths of these tests are relative to it.
func TestMain(m *testing.M) {
	err := os.Chdir(filepath.Join("..", ".."))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if scratch, err = os.MkdirTemp("", "devguard-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// binary builds devguard once for all tests.
var built = sync.OnceValues(func() (string, error) {
	out := filepath.Join(scratch, "devguard")
	b, err := exec.Command("go", append([]string{"build", "-o", out}, append(raceFlag, ".")...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, b)
	}
	return out, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// project writes a module of these files into a new directory; "go.mod" is
// made when it is not among them.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if files["go.mod"] == "" {
		write(t, filepath.Join(dir, "go.mod"), "module example.com/app\n\ngo 1.25\n")
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// saveWhole puts a file in its place at one stroke, from outside of the tree: a file that is seen
// while it is still empty is one more state, and so is one beside it that is to be renamed.
func saveWhole(t *testing.T, path, text string) {
	t.Helper()
	saveWholeAs(t, path, text, 0o644)
}

func saveWholeAs(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "whole")
	write(t, whole, text)
	if err := errors.Join(os.Chmod(whole, mode), os.MkdirAll(filepath.Dir(path), 0o755), os.Rename(whole, path)); err != nil {
		t.Fatal(err)
	}
}

// edit replaces old by new in a file, as an editor does that saves it whole.
func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not contain %q", path, old)
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		t.Fatalf("%s is not a file of its own: %v", path, err)
	}
	saveWholeAs(t, path, strings.Replace(string(data), old, new, 1), info.Mode().Perm())
}

// freePort returns a port that nothing listens on, and that nobody else is given.
func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(pgtest.FreePort(t))
}

// get returns the body of a page, or "" when there is no good answer.
func get(url string) string {
	client := http.Client{Timeout: limit / 3, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// serves waits until url answers with a body that contains want.
func (d *devguard) serves(url, want string) {
	d.t.Helper()
	var body string
	if !poll(limit, func() bool { body = get(url); return strings.Contains(body, want) }) {
		d.t.Fatalf("%s does not serve %q but %q\n%s", url, want, body, d.log())
	}
}

// server is a program that answers every request with its version and pid.
const server = `package main

import (
	"fmt"
	"net/http"
	"os"
)

const version = "v1"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s pid=%d.", version, os.Getpid()) })
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
	os.Exit(1)
}
`
