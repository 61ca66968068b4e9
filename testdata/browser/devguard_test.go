package browser

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// devguard is one `devguard run`, and its JSON log.
type devguard struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []string      // of the log
	more  chan struct{} // closed and replaced with every line
	heard chan struct{} // closed when the log has ended
}

// run starts `devguard run` in dir, and ends it when the test ends.
func run(t *testing.T, dir string, args ...string) *devguard {
	t.Helper()
	path, err := devguardBinary()
	if err != nil {
		t.Fatal(err)
	}
	d := &devguard{t: t, more: make(chan struct{}), heard: make(chan struct{})}
	d.cmd = exec.Command(path, append([]string{"run", "--log-format", "json", "--db", "off"}, args...)...)
	d.cmd.Dir = dir
	// The race detector's exit handler sleeps for a second unless told not to. The check has a database
	// for the shop, which would go before that of the app's .env.
	d.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") }),
		"GORACE=atexit_sleep_ms=0")
	d.cmd.Stdout = t.Output()
	d.cmd.WaitDelay = limit
	log, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.read(log)
	t.Cleanup(d.stop)
	return d
}

func (d *devguard) read(log io.Reader) {
	defer close(d.heard)
	scan := bufio.NewScanner(log)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		d.mu.Lock()
		d.lines = append(d.lines, scan.Text())
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

// wait returns the attributes of the first line from mark on with that message.
func (d *devguard) wait(mark int, msg string) map[string]any {
	d.t.Helper()
	late := time.After(limit)
	for {
		d.mu.Lock()
		lines, more := d.lines, d.more
		d.mu.Unlock()
		for ; mark < len(lines); mark++ {
			var attrs map[string]any
			if json.Unmarshal([]byte(lines[mark]), &attrs) == nil && attrs["msg"] == msg {
				return attrs
			}
		}
		select {
		case <-more:
		case <-d.heard:
			d.t.Fatalf("devguard ended before %q\n%s", msg, d.log())
		case <-late:
			d.t.Fatalf("no %q within %v\n%s", msg, limit, d.log())
		}
	}
}

func (d *devguard) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

// stop ends devguard like Ctrl-C, if it has not ended.
func (d *devguard) stop() {
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGINT)
	kill := time.AfterFunc(limit, func() { _ = d.cmd.Process.Kill() })
	defer kill.Stop()
	<-d.heard
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("devguard ended with %v", err)
	}
	if d.t.Failed() || strings.Contains(d.log(), "WARNING: DATA RACE") {
		d.t.Errorf("log of devguard:\n%s", d.log())
	}
}

// project writes a module of these files into a new directory.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/app\n\ngo 1.25\n")
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

// untouched has files below dir look as if nobody had touched them for a month: a browser keeps them for days then,
// without asking again.
func untouched(t *testing.T, dir string, names ...string) {
	t.Helper()
	month := time.Now().AddDate(0, -1, 0)
	for _, name := range names {
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), month, month); err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces old by new in a file, and puts it in place at one stroke, as editors do.
func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%s does not contain %q: %v", path, old, err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	write(t, whole, strings.Replace(string(data), old, new, 1))
	if err := os.Rename(whole, path); err != nil {
		t.Fatal(err)
	}
}
