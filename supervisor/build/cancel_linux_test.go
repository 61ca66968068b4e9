package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// TestMain lets this binary stand for a devguard that runs one build.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BUILD_TEST_DEVGUARD"); dir != "" {
		state := os.Getenv("BUILD_TEST_STATE")
		Run(context.Background(), Request{Dir: dir, Out: filepath.Join(state, "app"), Tmp: filepath.Join(state, "tmp"),
			Flags: []string{"-a", "-toolexec=" + filepath.Join(dir, "slow")}})
		return
	}
	os.Exit(m.Run())
}

// slow is a -toolexec whose compiles never end. It has a child of its own, as the
// C compiler driver has, and notes both.
const slow = `#!/bin/sh
case "$*" in *-V=full*) exec "$@";; esac
sleep 600 &
echo $$ $! >>"%s/pids"
echo left >"$TMPDIR/left.$$"
wait
`

func slowProject(t *testing.T) *project {
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	name := filepath.Join(p.dir, "slow")
	if err := os.WriteFile(name, fmt.Appendf(nil, slow, p.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// pids waits for the first compile and returns every process noted so far.
func (p *project) pids() []int {
	p.t.Helper()
	var pids []int
	waitFor(p.t, "a compile to start", func() bool {
		b, _ := os.ReadFile(filepath.Join(p.dir, "pids"))
		pids = nil
		for f := range bytes.FieldsSeq(b) {
			n, _ := strconv.Atoi(string(f))
			pids = append(pids, n)
		}
		return bytes.HasSuffix(b, []byte("\n"))
	})
	return pids
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// running returns the processes that have dir in their command line.
func running(dir string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if b, _ := os.ReadFile(name); bytes.Contains(b, []byte(dir)) {
			found = append(found, string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// TestCancel: when Run returns, no process of the build runs and no work
// directory is left, and the next build is not disturbed.
func TestCancel(t *testing.T) {
	for _, progress := range []bool{false, true} {
		t.Run(fmt.Sprintf("progress=%v", progress), func(t *testing.T) {
			p := slowProject(t)
			r := p.request("-a", "-toolexec="+filepath.Join(p.dir, "slow"))
			if progress {
				r.Progress = func(int, int) {}
			}
			why := errors.New("a newer change")
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			done := make(chan Result, 1)
			go func() { done <- Run(ctx, r) }()
			p.pids()
			cancel(why)
			res := <-done
			if !res.Cancelled || !errors.Is(res.Err, why) || res.Out != "" {
				t.Errorf("result: %+v", res)
			}
			for _, pid := range p.pids() {
				if osproc.Alive(pid) {
					t.Errorf("process %d of the cancelled build runs", pid)
				}
			}
			if left := running(p.dir); len(left) > 0 {
				t.Errorf("processes left: %q", left)
			}
			checkClean(t, r)
			p.build(p.request())
		})
	}
}

// TestCancelAnyTime: a build cancelled at any moment leaves nothing.
func TestCancelAnyTime(t *testing.T) {
	p := newProject(t, "go.mod", goMod, "main.go", hello)
	for d := time.Duration(0); d < 160*time.Millisecond; d += 8 * time.Millisecond {
		r := p.request()
		ctx, cancel := context.WithTimeout(context.Background(), d)
		res := Run(ctx, r)
		cancel()
		if res.Cancelled != (res.Err != nil) {
			t.Fatalf("after %v: %+v", d, res)
		}
		checkClean(t, r)
		if _, err := os.Stat(r.Out); (err == nil) != (res.Err == nil) {
			t.Errorf("after %v: binary: %v, build: %v", d, err, res.Err)
		}
		if left := running(r.Tmp); len(left) > 0 {
			t.Errorf("after %v processes are left: %q", d, left)
		}
	}
}

// TestKilled: when devguard is killed by SIGKILL, so is its build.
func TestKilled(t *testing.T) {
	p := slowProject(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(p.env, "BUILD_TEST_DEVGUARD="+p.dir, "BUILD_TEST_STATE="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := p.pids()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	waitFor(t, "the build's processes to end", func() bool {
		if slices.ContainsFunc(pids, osproc.Alive) {
			return false
		}
		return len(running(p.dir)) == 0
	})
}
