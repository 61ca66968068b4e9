package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/logline/logtest"
	"github.com/devguard/devguard/supervisor/testneed"
	"github.com/jackc/pgx/v5/pgconn"
)

// noSync spares most tests the disk: none of them takes its power away.
const noSync = "fsync = off\n"

const helperArg = "__embedded_test_devguard__"

func TestMain(m *testing.M) {
	Guardian()
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each helper process takes a second to exit
	if len(os.Args) == 3 && os.Args[1] == helperArg {
		os.Exit(helper(os.Args[2]))
	}
	os.Exit(m.Run())
}

// helper is a devguard of one share: it says its URL and waits for the end of its standard input.
func helper(project string) int {
	o := Options{Project: project, settings: noSync}
	if os.Getenv("EMBEDDED_TEST_FETCH") != "" {
		o.find = none
	}
	s, err := Acquire(context.Background(), o)
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		return 1
	}
	return 0
}

// devguard is a helper process.
type devguard struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

func spawn(t *testing.T, exe, project string, account *Account, env ...string) *devguard {
	t.Helper()
	cmd := exec.Command(exe, helperArg, project)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	account.Apply(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &devguard{cmd: cmd, stdin: in, out: bufio.NewReader(out)}
	t.Cleanup(func() { d.kill() })
	return d
}

// url waits for the helper's server.
func (d *devguard) url(t *testing.T) string {
	t.Helper()
	line, err := d.out.ReadString('\n')
	if line = strings.TrimSpace(line); err != nil || strings.HasPrefix(line, "error") {
		t.Fatalf("helper: %q, %v", line, err)
	}
	return line
}

func (d *devguard) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// account fails or skips where no server can be had.
func account(t *testing.T) *Account {
	t.Helper()
	a, err := ServerAccount()
	if err == nil && len(Find(t.Context(), a, exec.LookPath)) == 0 {
		err = ErrNoBinaries
	}
	if err == nil {
		return a
	}
	testneed.Skip(t, "postgres", err)
	return nil
}

// newProject makes a project folder; the test fails if a process of its server is left after it.
// Tests that want a port back, or run what they have just written (a fork beside the write makes
// that fail), are not parallel.
func newProject(t *testing.T) (string, layout) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my prøject's "+strings.Repeat("long ", 25)) // longer than a socket's path may be
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(dir, account(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		awaitStopped(t, l)
		if l.Home != l.Dir {
			if err := os.RemoveAll(l.Home); err != nil {
				t.Error(err)
			}
		}
	})
	return dir, l
}

// awaitStopped waits until neither guardian nor server is left.
func awaitStopped(t *testing.T, l layout) {
	t.Helper()
	if _, err := os.Stat(l.Dir); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	f, err := lockFile(ctx, l.guardian(), true)
	if err != nil {
		t.Fatalf("the guardian lives on: %v\n%s", err, logSince(l.log(), 0))
	}
	f.Close()
	if !awaitNone(ctx, l.data(), 10*time.Second) {
		t.Fatalf("a server lives on:\n%s", logSince(l.log(), 0))
	}
}

func acquire(t *testing.T, o Options) *Server {
	t.Helper()
	o.Log = slog.New(logtest.Handler(t, slog.Default().Handler()))
	s, err := Acquire(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// query returns the rows' first column.
func query(t *testing.T, url, sql string) []string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			out = append(out, string(row[0]))
		}
	}
	return out
}

// guardianPid finds the guardian as the server's parent.
func guardianPid(t *testing.T, l layout) int {
	t.Helper()
	pid, err := postmasterPid(l.data())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ps", "-o", "ppid=", "-p", fmt.Sprint(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var parent int
	if _, err := fmt.Sscan(string(out), &parent); err != nil || parent <= 1 {
		t.Fatalf("the server's parent is %q", out)
	}
	return parent
}

// kill returns when the process has given its locks back.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := killProcess(pid); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil && len(files) > 0; files, err = os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) {
		if ctx.Err() != nil {
			t.Fatalf("process %d lives on", pid)
		}
		pause(ctx)
	}
}
