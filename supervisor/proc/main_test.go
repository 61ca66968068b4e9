//go:build linux

package proc_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/proc"
)

// TestMain is three programs: the guardian, a devguard to be killed, the tests.
func TestMain(m *testing.M) {
	proc.Guardian()
	if path := os.Getenv("PROC_TEST_DEVGUARD"); path != "" {
		actAsDevguard(path)
	}
	if os.Getenv("PROC_TEST_CTRL_Z") != "" {
		becomeGuardian()
	}
	if os.Getenv("PROC_TEST_ORPHANS") != "" {
		makeOrphans()
	}
	code := m.Run()
	if apps.dir != "" {
		os.RemoveAll(apps.dir)
	}
	os.Exit(code)
}

// actAsDevguard runs the app at path, prints the guardians' pids and its own
// child's, and waits to be killed; or, asked so, for the app's end.
func actAsDevguard(path string) {
	var l proc.Launcher
	i, err := l.Start(context.Background(), proc.Spec{
		Path: path, Args: strings.Fields(os.Getenv("PROC_TEST_ARGS")),
		Stdin: os.Stdin, Stdout: os.Stdout, Foreground: os.Getenv("PROC_TEST_TTY") != "",
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	l.Prepare()
	fmt.Println("guardians", i.Guardians(), "app", i.PID())
	<-i.Gone()
	fmt.Println("gone", i.Exit())
	l.Close()
	os.Exit(0)
}

func notify(sig os.Signal) <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, sig)
	return c
}

// apps builds what the tests run, once.
var apps struct {
	once sync.Once
	dir  string
	err  error
}

func app(t testing.TB, name string) string {
	t.Helper()
	apps.once.Do(func() {
		if apps.dir, apps.err = os.MkdirTemp("", "proc-apps"); apps.err != nil {
			return
		}
		for _, name := range []string{"stubborn", "daemon", "exits", "spawner"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(apps.dir, name), "main.go")
			cmd.Dir = filepath.Join("..", "..", "testdata", "apps", name)
			if out, err := cmd.CombinedOutput(); err != nil {
				apps.err = fmt.Errorf("build %s: %w\n%s", name, err, out)
				return
			}
		}
	})
	if apps.err != nil {
		t.Fatal(apps.err)
	}
	return filepath.Join(apps.dir, name)
}

// tree is one started app and what is needed to prove that nothing of it is left.
type tree struct {
	*proc.Instance
	mark string
	out  *bufio.Reader
}

var marks struct {
	sync.Mutex
	n int
}

// newMark returns an environment entry that everything started with it inherits.
func newMark() string {
	marks.Lock()
	defer marks.Unlock()
	marks.n++
	return fmt.Sprintf("PROC_TEST_MARK=%d-%d-%d", os.Getpid(), time.Now().UnixNano(), marks.n)
}

func start(t *testing.T, name string, args ...string) *tree {
	t.Helper()
	return startWith(t, new(proc.Launcher), proc.Spec{Path: app(t, name), Args: args})
}

func startWith(t *testing.T, l *proc.Launcher, spec proc.Spec) *tree {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	mark := newMark()
	spec.Stdout, spec.Env = w, append(os.Environ(), mark)
	i, err := l.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.Kill()
		wait(t, "the tree to be gone", i.Gone())
		wantNone(t, mark)
		r.Close()
	})
	return &tree{Instance: i, mark: mark, out: bufio.NewReader(r)}
}

// pids reads one line of numbers.
func (tr *tree) pids(t *testing.T) []int {
	t.Helper()
	var pids []int
	for f := range strings.FieldsSeq(tr.line(t)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func (tr *tree) line(t *testing.T) string {
	t.Helper()
	line, err := tr.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the app's output: %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

func (tr *tree) rest(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(tr.out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// patience is for machines that do something else as well.
const patience = 20 * time.Second

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
}

// eventually polls: what it waits for happens in processes that tell nobody.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// marked are the live processes that inherited mark, whoever their parent is.
func marked(mark string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		b, err := os.ReadFile(f)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err == nil && bytes.Contains(b, []byte(mark)) && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// wantNone fails when anything that inherited mark is alive now.
func wantNone(t *testing.T, mark string) {
	t.Helper()
	if left := marked(mark); len(left) > 0 {
		t.Errorf("still running: %v", left)
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(b, []byte(") Z "))
}

// descendants are the live processes below pid, found without the code under test.
func descendants(pid int) []int {
	var all []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for s := range strings.FieldsSeq(string(b)) {
			if child, _ := strconv.Atoi(s); alive(child) {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}
