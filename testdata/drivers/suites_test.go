//go:build suites

package drivers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

var inner = flag.String("inner", "", "run those of the suites' tests alone that match this")

// suite is the tests of a driver's own.
type suite struct {
	name   string
	module string
	// prepare makes a server ready, and returns the variables that the tests read.
	prepare func(t *testing.T, s *pgtest.Server) []string
	// limits are the tests, by mode, that differ for a reason that the README
	// gives or that lies in the test; the value is the reason.
	limits map[string]map[string]string
}

// TestSuites: what passes without devguard passes through it.
func TestSuites(t *testing.T) {
	for _, u := range []suite{
		{"pgx", "github.com/jackc/pgx/v5", preparePgx, pgxLimits},
		{"pq", "github.com/lib/pq", preparePQ, pqLimits},
		{"pq-binary", "github.com/lib/pq", preparePQBinary, pqLimits},
	} {
		t.Run(u.name, func(t *testing.T) {
			dir := source(t, u.module)
			direct := u.run(t, dir, "")
			t.Logf("direct: %s", direct)
			for _, mode := range []string{"session", "transaction"} {
				t.Run(mode, func(t *testing.T) {
					through := u.run(t, dir, mode)
					t.Logf("through devguard: %s", through)
					u.compare(t, mode, direct, through)
				})
			}
		})
	}
}

// source returns a copy of a module, at the version that go.mod names: tests
// write beside themselves, and the module cache is not for that.
func source(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	dir := filepath.Join(t.TempDir(), "source")
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(out)))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs the suite against a server of its own, directly or through a Guard.
func (u suite) run(t *testing.T, dir, mode string) outcomes {
	t.Helper()
	s := pgtest.Start(t, pgtest.Socket(), pgtest.Set("max_prepared_transactions", "5"))
	env := slices.Concat(os.Environ(), []string{"GOWORK=off", "GOFLAGS=-buildvcs=false"}, u.prepare(t, s))
	if mode != "" {
		g, log := openGuard(t, mode)
		var err error
		if env, err = g.AppEnv(t.Context(), 1, env); err != nil {
			t.Fatal(err)
		}
		defer func() {
			g.RecordSockets(1, nil)
			g.Drain(t.Context(), 1)
			for _, msg := range []string{"database", "conflict", "drained"} {
				for _, line := range log.lines(t, msg) {
					delete(line, "time")
					t.Log(line)
				}
			}
		}()
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-p=1", "-timeout=10m", "-run="+*inner, "./...")
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = time.Second
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatalf("go test: %v", err)
	}
	return parse(t, out)
}

// outcome is what became of one test.
type outcome struct {
	action string // pass, fail or skip; run when it did not end
	output []string
}

// temporary is a folder of a test, which some put into a subtest's name.
var temporary = regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `/Test\w+/\d+`)

// outcomes are those of a suite, by package and name.
type outcomes map[string]*outcome

func parse(t *testing.T, out []byte) outcomes {
	t.Helper()
	all := outcomes{}
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		var e struct{ Action, Package, Test, Output string }
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			t.Fatalf("go test -json: %s", scan.Text())
		}
		if e.Package == "" {
			continue // of a build
		}
		name := temporary.ReplaceAllString(strings.TrimSuffix(e.Package+"."+e.Test, "."), "TMP")
		if all[name] == nil {
			all[name] = &outcome{action: "run"}
		}
		switch e.Action {
		case "output":
			all[name].output = append(all[name].output, e.Output)
		case "pass", "fail", "skip":
			all[name].action = e.Action
		}
	}
	return all
}

// String counts.
func (all outcomes) String() string {
	count := map[string]int{}
	for _, one := range all {
		count[one.action]++
	}
	return fmt.Sprint(count)
}

// compare reports the tests that pass directly and not through devguard. Only
// the innermost are reported: a test fails with its subtests, and a package with
// its tests.
func (u suite) compare(t *testing.T, mode string, direct, through outcomes) {
	t.Helper()
	names := slices.Sorted(maps.Keys(direct))
	var differ []string
	for _, name := range names {
		if action(through, name) != "pass" && direct[name].action == "pass" {
			differ = append(differ, name)
		}
	}
	for _, name := range differ {
		if slices.ContainsFunc(differ, func(other string) bool {
			return strings.HasPrefix(other, name+"/") || strings.HasPrefix(other, name+".")
		}) {
			continue
		}
		short := strings.TrimPrefix(strings.TrimPrefix(name, u.module), "/")
		if why, known := u.limits[mode][strings.TrimPrefix(short, ".")]; known {
			t.Logf("limit: %s: %s", short, why)
			continue
		}
		t.Errorf("%s: %s\n%s", short, action(through, name), strings.Join(outputOf(through, name), ""))
	}
	for _, name := range names {
		if direct[name].action != "pass" && direct[name].action != "skip" {
			t.Logf("not passed directly: %s (%s), here %s", name, direct[name].action, action(through, name))
		}
	}
}

func action(all outcomes, name string) string {
	if one := all[name]; one != nil {
		return one.action
	}
	return "not run"
}

func outputOf(all outcomes, name string) []string {
	if one := all[name]; one != nil {
		return one.output
	}
	return nil
}
