package pgtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/testneed"
)

// TestKilledBinary kills a test binary that has servers: the kernel ends them.
func TestKilledBinary(t *testing.T) {
	if os.Getenv("PGTEST_TO_BE_KILLED") != "" {
		s := Start(t)
		b := PgBouncer(t, s, Pool{})
		fmt.Printf("pids %s %d %d\n", s.DataDir, s.Pid(), b.Pid())
		select {}
	}
	if !osproc.EndsWithParent {
		testneed.Skip(t, "linux", "no parent death signal")
	}
	postgres(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestKilledBinary$")
	cmd.Env = append(os.Environ(), "PGTEST_TO_BE_KILLED=1", "TMPDIR="+reachableDir(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var data string
	var server, bouncer int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "pids ") {
			if _, err := fmt.Sscanf(lines.Text(), "pids %s %d %d", &data, &server, &bouncer); err != nil {
				t.Error(err)
			}
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if server == 0 {
		t.Fatal("the binary to be killed did not start its servers")
	}
	awaitGone(t, []int{server, bouncer})
}

// reachableDir is a TMPDIR of the killed binary, which cannot tidy up.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir := postgres(t).tempDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
