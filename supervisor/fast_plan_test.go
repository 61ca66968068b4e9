package supervisor

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
	"github.com/devguard/devguard/supervisor/watch"
)

// newFastSupervisor is a Supervisor that builds and verifies a program of one file.
func newFastSupervisor(t *testing.T, source string) *Supervisor {
	t.Helper()
	dir := t.TempDir()
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n\ngo 1.24\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	st, err := statedir.Open(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w, err := watch.New(watch.Options{Poll: watch.PollOff})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	silent := func(io.Writer) *slog.Logger { return slog.New(slog.DiscardHandler) }
	screen := console.NewScreen(io.Discard, false, silent)
	t.Cleanup(func() { screen.Close() })
	environ := append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off")
	s := &Supervisor{Options: Options{StateDir: st, Environ: environ, Log: silent(nil), Screen: screen}, cfg: config.Default(dir), watch: w}
	s.cfg.Name, s.cfg.App.BuildDir, s.cfg.App.Package = "app", dir, "."
	return s
}

// edit writes the source of the program anew.
func (s *Supervisor) edit(t *testing.T, source string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.cfg.App.BuildDir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
}

// builds builds what there is, and takes over what that brings.
func (s *Supervisor) builds(t *testing.T, id reload.ID, fast bool) reload.Built {
	t.Helper()
	ev := s.build(reload.Build{ID: id, Gen: int(id), Keep: [2]int{int(id) - 1}, Fast: fast})(t.Context()).(reload.Built)
	if ev.Err != nil || ev.Fast != fast {
		t.Fatalf("build %d: fast: %t, %v", id, ev.Fast, ev.Err)
	}
	ev.Brings.(func())()
	return ev
}

// verifies builds a second time what there is.
func (s *Supervisor) verifies(t *testing.T, id reload.ID, of reload.Built) reload.Verified {
	t.Helper()
	ev := s.verify(reload.Verify{ID: id, Gen: int(id), Binary: of.Binary, Path: of.Path})(t.Context()).(reload.Verified)
	if ev.Err != nil || ev.Cancelled {
		t.Fatalf("verified: %+v", ev)
	}
	return ev
}

func printing(text string) string {
	return "package main\n\nvar version = \"" + text + "\"\n\nfunc main() { println(version) }\n"
}

// objectsLeft are the directories of what was compiled.
func (s *Supervisor) objectsLeft(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.StateDir.ObjectsDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestObjectsDoNotPileUp: whoever never pauses is not verified, and does not fill the disk either.
func TestObjectsDoNotPileUp(t *testing.T) {
	t.Parallel()
	s := newFastSupervisor(t, printing("v0"))
	first := s.builds(t, 1, false)
	s.verifies(t, 2, first).Brings.(func())()
	for id := reload.ID(3); id < 7; id++ {
		s.edit(t, printing(string('a'+rune(id))))
		s.builds(t, id, true)
	}
	if left := s.objectsLeft(t); !slices.Equal(left, []string{"5", "6"}) {
		t.Errorf("directories %v are left, and the newest program was linked of what is in the last", left)
	}

	// An answer that does not count leaves the plan what it links.
	s.edit(t, printing("w"))
	built := s.build(reload.Build{ID: 7, Gen: 7})(t.Context()).(reload.Built) // by the go command
	ev := s.verifies(t, 8, built)
	if ev.Refused != (reload.Refusal{}) {
		t.Fatal(ev.Refused)
	}
	for _, dir := range s.plan.Directories(s.StateDir.ObjectsDir()) {
		if _, err := os.Stat(filepath.Join(s.StateDir.ObjectsDir(), dir)); err != nil {
			t.Error(err)
		}
	}
	s.edit(t, printing("x"))
	s.builds(t, 9, true)
}

// TestPlanOfAnotherProgramIsRecordedAnew: that all that the plan knows of is as it was does not make it the
// plan of another program, which is made of something that it does not know of.
func TestPlanOfAnotherProgramIsRecordedAnew(t *testing.T) {
	t.Parallel()
	s := newFastSupervisor(t, printing("v0"))
	first := s.builds(t, 1, false)
	s.verifies(t, 2, first).Brings.(func())()
	before := s.plan
	s.cfg.Build.Flags = []string{"-ldflags=-X main.version=w"} // in the place of what it does not know of
	second := s.build(reload.Build{ID: 3, Gen: 3, Fast: true, Binary: first.Binary})(t.Context()).(reload.Built)
	if second.Fast || second.Err != nil || second.Binary == first.Binary {
		t.Fatalf("built: %+v", second)
	}
	verified := s.verifies(t, 4, second)
	verified.Brings.(func())()
	if s.plan == before || s.plan == nil || s.planned != second.Binary {
		t.Error("the plan of the program before is taken for that of the new one")
	}

	s.plan, s.planned = before, first.Binary
	second.Brings.(func())()
	if s.plan != nil {
		t.Error("no source has changed, the program has, and the next build is by the same plan")
	}
}

// TestTakePlan: a plan stays as long as nothing speaks against it.
func TestTakePlan(t *testing.T) {
	plan, next := new(fastbuild.Plan), new(fastbuild.Plan)
	failed, unchanged := errors.New("no"), reload.Refusal{Kind: string(fastbuild.Unchanged)}
	for name, tt := range map[string]struct {
		fast bool
		made quickly
		res  build.Result
		want *fastbuild.Plan
	}{
		"a fast build":                         {true, quickly{done: true, next: next}, build.Result{Digest: change.Digest{2}}, next},
		"one that was cancelled":               {true, quickly{done: true}, build.Result{Cancelled: true, Err: failed}, plan},
		"another import":                       {true, quickly{refused: reload.Refusal{Kind: string(fastbuild.Imports)}}, build.Result{Digest: change.Digest{2}}, plan},
		"nothing changed":                      {true, quickly{refused: unchanged}, build.Result{Digest: change.Digest{1}}, plan},
		"nothing changed but the program":      {true, quickly{refused: unchanged}, build.Result{Digest: change.Digest{2}}, nil},
		"nothing changed, and the build fails": {true, quickly{refused: unchanged}, build.Result{Err: failed}, plan},
		"none may be fast":                     {false, quickly{}, build.Result{Digest: change.Digest{2}}, nil},
		"none may be fast, and it fails":       {false, quickly{}, build.Result{Err: failed}, plan},
	} {
		s := &Supervisor{plan: plan, planned: change.Digest{1}}
		s.takePlan(reload.Build{Fast: tt.fast}, tt.made, tt.res)
		if s.plan != tt.want {
			t.Errorf("%s: kept %t, the next one %t", name, s.plan == plan, s.plan == next)
		}
	}
}

// TestSettingsRefuseFirst: flags and variables that leave all to the go command are known without a build.
func TestSettingsRefuseFirst(t *testing.T) {
	none := ""
	req := build.Request{Dir: t.TempDir(), Env: []string{}, Flags: []string{"-toolexec=x"}, Goflags: &none}
	s := newFastSupervisor(t, printing("v0"))
	made := s.quick(reload.Build{ID: 1, Fast: true}, req)(t.Context())
	if made.done || !made.lasting || made.refused.Kind != string(fastbuild.Flag) || made.refused.Text == "" {
		t.Errorf("refused: %+v", made)
	}
	s.takePlan(reload.Build{ID: 1, Fast: true}, made, build.Result{})
	if made = s.quick(reload.Build{ID: 2}, req)(t.Context()); made.refused != (reload.Refusal{Kind: string(fastbuild.Flag)}) {
		t.Errorf("the next one: %+v", made)
	}
}

// TestPlanBesideAnOutdatedIndex: a package that the go command does not find by its index is built all the same, and
// so are edits without it.
func TestPlanBesideAnOutdatedIndex(t *testing.T) {
	t.Parallel()
	const here, never = "//go:build unix || windows\n\npackage a\n", "//go:build never || neithe\n\npackage a\n"
	source := func(version string) string {
		return strings.Replace(printing(version), "var version", "import _ \"m/a\"\n\nvar version", 1)
	}
	s := newFastSupervisor(t, source("v0"))
	file := filepath.Join(s.cfg.App.BuildDir, "a", "a.go")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute) // what is younger than 2 s is not kept
	put := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chtimes(file, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	put(never)
	if ev := s.build(reload.Build{ID: 1, Gen: 1})(t.Context()).(reload.Built); ev.Err == nil {
		t.Fatal("control: the package has no files")
	}
	put(here)
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Dir, cmd.Env = s.cfg.App.BuildDir, s.Environ
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("control: the go command notices: %s", out)
	}
	first := s.builds(t, 2, false)
	ev := s.verifies(t, 3, first)
	if ev.Refused != (reload.Refusal{}) {
		t.Fatal(ev.Refused)
	}
	ev.Brings.(func())()
	s.edit(t, source("v1"))
	s.builds(t, 4, true)
}

// TestOtherSettingsAreNoFault: what the go command makes by other settings is no sign that a fast build was wrong.
func TestOtherSettingsAreNoFault(t *testing.T) {
	t.Parallel()
	s := newFastSupervisor(t, printing("v0"))
	settings := filepath.Join(t.TempDir(), "env")
	s.Environ = append(s.Environ, "GOENV="+settings)
	first := s.builds(t, 1, false)
	s.verifies(t, 2, first).Brings.(func())()
	s.edit(t, printing("v1"))
	fast := s.builds(t, 3, true)
	if err := os.WriteFile(settings, []byte("GOFLAGS=-gcflags=-N\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ev := s.verifies(t, 4, fast)
	if ev.Binary != (change.Digest{}) || ev.Kept != "" {
		t.Errorf("%+v", ev)
	}
	if ev.Brings.(func())(); s.plan != nil {
		t.Error("the next build is made by the plan")
	}

	byGo := s.builds(t, 5, false)
	if err := os.WriteFile(settings, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if ev := s.verifies(t, 6, byGo); ev.Binary != (change.Digest{}) || ev.Kept != "" {
		t.Errorf("of what the go command has made: %+v", ev)
	}
}

// TestNeverFastIsLearntWithoutABuild: nothing is built in the background of a program that is always built by
// the go command.
func TestNeverFastIsLearntWithoutABuild(t *testing.T) {
	t.Parallel()
	s := newFastSupervisor(t, "package main\n\nimport _ \"embed\"\n\n//go:embed */a.txt\nvar text string\n\nfunc main() { println(text) }\n")
	if err := os.Mkdir(filepath.Join(s.cfg.App.BuildDir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.cfg.App.BuildDir, "sub", "a.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	first := s.builds(t, 1, false)
	ev := s.verify(reload.Verify{ID: 2, Gen: 2, Binary: first.Binary, Path: first.Path, ByGo: true})(t.Context()).(reload.Verified)
	if ev.Err != nil || !ev.Unbuilt || ev.Refused.Kind != string(fastbuild.Pattern) {
		t.Errorf("%+v", ev)
	}
	if _, err := os.Stat(s.StateDir.BinaryPath(2, "app")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is built: %v", err)
	}
	ev.Brings.(func())()
	if s.noPlan != ev.Refused || len(s.objectsLeft(t)) > 1 {
		t.Errorf("the reason is %+v, left are %v", s.noPlan, s.objectsLeft(t))
	}
}

// TestVerifyTakesNoMoreMemory: nobody waits for a verification, so it is not made faster by memory.
func TestVerifyTakesNoMoreMemory(t *testing.T) {
	s := newFastSupervisor(t, printing("v0"))
	if !s.buildRequest(2).Again || s.verifyRequest(2).Again {
		t.Error("it collects garbage as seldom as the build that is waited for")
	}
}

// TestKeepsWhatDiffersAnew: numbers of generations begin again in each run of devguard.
func TestKeepsWhatDiffersAnew(t *testing.T) {
	base := t.TempDir()
	fast, byGo := filepath.Join(base, "a"), filepath.Join(base, "b")
	for _, name := range []string{fast, byGo} {
		if err := os.WriteFile(name, []byte(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]bool{}
	for range 2 {
		dir, err := keepDifference(base, reload.Verify{Gen: 2, Path: fast}, byGo, nil)
		if err != nil {
			t.Fatal(err)
		}
		kept[dir] = true
		for name, want := range map[string]string{"fast": fast, "go": byGo} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); string(text) != want {
				t.Errorf("%s is %q, %v", name, text, err)
			}
		}
	}
	if len(kept) != 2 {
		t.Errorf("kept in %v", kept)
	}
	dir, err := keepDifference(base, reload.Verify{Gen: 3, Path: filepath.Join(base, "gone")}, byGo, nil)
	if _, other := os.Stat(filepath.Join(dir, "go")); other != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one is gone: the other: %v, %v", other, err)
	}
}
