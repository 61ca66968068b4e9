package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/goindex"
)

// stormSeed repeats one storm, after those before it in the same process: what
// went wrong may have begun in them.
var stormSeed = flag.Uint64("storm", 0, "run only the process of storms that begins with this seed")

// stormFast has every process of storms wait until what is served is verified, not every fourth: the next
// build can be fast then.
var stormFast = flag.Bool("storm-fast", false, "make all processes of storms such that many builds are fast")

// A storm is a few edits of all kinds in quick succession, ending in a tree that
// builds. Several of them hit one devguard, as in a day's work.
const stormsPerProcess = 15

// TestStorms holds P1: whatever happens to the tree, the last state is served.
func TestStorms(t *testing.T) {
	processes, fast := 4, 0
	if *campaign {
		processes = 40
	}
	for i := range processes {
		seed := uint64(1000 * (i + 1))
		if *stormSeed != 0 && *stormSeed != seed {
			continue
		}
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			if !*campaign {
				t.Parallel()
			}
			n := storms(t, seed)
			t.Logf("%d fast builds", n)
			if *campaign {
				fast += n
			}
		})
	}
	if *campaign && *stormSeed == 0 && fast == 0 {
		t.Error("no build was fast")
	}
}

// storms lets a number of storms loose on one devguard. It returns how many builds were made without the go
// command; every fourth process, or with -storm-fast each, is such that these are many.
func storms(t *testing.T, seed uint64) (fast int) {
	s := &storm{t: t, base: t.TempDir(), r: rand.New(rand.NewPCG(seed, 0))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test -run TestStorms -storm %d -storm-fast=%t\n%s", seed, *stormFast, strings.Join(s.story, "\n"))
		}
	})
	s.world = newWorld()
	s.files = map[string]string{}
	s.become(s.world)
	write(t, s.path(".gitignore"), "oracle.out\n.devguard/\n")
	s.git("init", "-q", "-b", "main")
	s.commit()
	args := []string{"--db", "off"}
	if s.fast = *stormFast || seed%4000 == 0; s.fast || *stormVerbose {
		args = append(args, "-v") // it says when a build is verified
	}
	s.d = run(t, s.app(), nil, args...)
	s.served(true)
	storms, edits := stormsPerProcess, 9
	if s.fast {
		edits = 3 // what adds, removes or renames files is left to the go command
		if !*campaign {
			storms = 5 // each waits for the go command twice
		}
	}
	for i := range storms {
		s.say("--- storm %d", i)
		for range 2 + s.r.IntN(edits) {
			s.edit()
			s.pause()
		}
		s.repair()
		s.served(*campaign || i%4 == 0)
		if s.fast {
			s.verified()
		}
	}
	if code := s.d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, l := range s.d.since(0) {
		if l.Msg == "build finished" && l.str("way") == "fast" {
			fast++
		}
		if l.Msg == "build differs" {
			t.Errorf("a fast build is not what the go command builds: %s", l.Raw)
		}
	}
	return fast
}

var stormVerbose = flag.Bool("storm-v", false, "let devguard tell what it ignores in storms")

// storm is one process of storms.
type storm struct {
	t     *testing.T
	r     *rand.Rand
	d     *devguard
	fast  bool // it awaits that what is served is verified
	base  string
	world world             // as it should be
	files map[string]string // as the last edit left them, by path below base
	dirty map[string]bool   // broken or missing on purpose
	made  int               // versions made up so far
	kept  []kept            // commits
	story []string
}

// kept is a state of the tree that git has.
type kept struct {
	commit string
	world  world
}

func (s *storm) app() string             { return filepath.Join(s.base, "app") }
func (s *storm) path(name string) string { return filepath.Join(s.base, filepath.FromSlash(name)) }

func (s *storm) say(format string, args ...any) {
	s.story = append(s.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// pause lets some time pass between two edits, of the lengths at which things
// go wrong: none, within a burst, during a listing, during a build.
func (s *storm) pause() {
	var d time.Duration
	switch n := s.r.IntN(10); {
	case n < 4:
		return
	case n < 6:
		d = time.Duration(s.r.IntN(6000)) * time.Microsecond
	case n < 8:
		d = time.Duration(s.r.IntN(60)) * time.Millisecond
	default:
		d = time.Duration(s.r.IntN(400)) * time.Millisecond
	}
	<-time.After(d)
}

// served waits until what the tree says is what runs. With build, what the tree
// says is asked of a plain go build too.
func (s *storm) served(build bool) {
	s.t.Helper()
	want := s.world.version()
	if build {
		if got := s.oracle(); got != want {
			s.t.Fatalf("BUG in this test: go build says %q, the model says %q", got, want)
		}
	}
	if !poll(limit, func() bool { return s.serving() == want }) {
		s.say("--- not served: %s", want)
		s.t.Errorf("the tree is quiet, but %q is served, not %q\n%s", s.serving(), want, s.d.log())
		s.t.Fatalf("a plain go build says %q", s.oracle())
	}
}

// verified waits until the go command has built what is served a second time, and has made the same
// bytes: the next build may be fast then.
func (s *storm) verified() {
	s.t.Helper()
	all := s.d.since(0)
	last := len(all) - 1
	for ; last >= 0 && all[last].Msg != "build finished"; last-- {
	}
	if last < 0 {
		return
	}
	if all[last].str("way") == "fast" {
		s.say("--- a fast build is served")
	}
	s.d.verified(last, nil)
	if n := s.d.count(0, "build differs"); n > 0 {
		s.t.Fatalf("%d fast builds differ from the go command's\n%s", n, s.d.log())
	}
}

// serving is what the newest instance says that it was built of.
func (s *storm) serving() string {
	out := s.d.out.String()
	i := strings.LastIndex(out, "serving ")
	if i < 0 || !strings.HasSuffix(out, "\n") {
		return ""
	}
	text, pid, _ := strings.Cut(strings.TrimSpace(out[i+len("serving "):]), " pid=")
	var n int
	fmt.Sscan(pid, &n)
	if n == 0 || syscall.Kill(n, 0) != nil {
		return "(nothing: the last was " + text + ")"
	}
	return text
}

// oracle builds and runs the tree as one does by hand.
func (s *storm) oracle() string {
	s.t.Helper()
	out := filepath.Join(s.base, "oracle.out")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-w", "-o", out, ".")
	// The go command's index of packages may be wrong after a directory was moved away and back while
	// devguard built: see supervisor/goindex.
	build.Dir, build.Env = s.app(), goindex.Without(nil)
	if msg, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("BUG in this test: the tree does not build: %v\n%s", err, msg)
	}
	once := exec.Command(out)
	once.Dir = s.app()
	once.Env = append(os.Environ(), "ONCE=1")
	text, err := once.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	version, _, _ := strings.Cut(string(text), " pid=")
	return strings.TrimPrefix(version, "serving ")
}

func (s *storm) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = s.base
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
