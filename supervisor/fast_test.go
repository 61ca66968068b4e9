package supervisor

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/build"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/reload"
)

// campaign asks for the long versions of tests that have one.
var (
	campaign = flag.Bool("campaign", false, "run the long versions of the tests of builds")
	seed     = flag.Uint64("seed", 1, "of the edits of TestFastBuildsEqualRealOnes")
	release  = flag.String("toolchain", "", "the GOTOOLCHAIN that the programs of the tests of fast builds are built by, as go1.25.10")
)

// fastWorld builds the tree after each edit by the plan, when there is one, and by the go command with
// a cache that nothing else writes to.
type fastWorld struct {
	t     *testing.T
	src   *sources
	tmp   string
	n     int
	plan  *fastbuild.Plan
	plain build.Request // with a cache of its own
	own   build.Request // what devguard itself would do

	modules []string // files of modules, as the graph of the program has them

	digest   change.Digest // of the newest program
	compiled []string      // by the newest fast build
	counts   map[string]int
}

func newFastWorld(t *testing.T, src *sources) *fastWorld {
	tmp := t.TempDir()
	none := ""
	env := func(cache string) []string {
		all := append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off")
		if *release != "" {
			all = append(all, "GOTOOLCHAIN="+*release)
		}
		if *campaign { // without: to fill two caches takes longer than the rest
			all = append(all, "GOCACHE="+filepath.Join(tmp, cache))
		}
		return all
	}
	req := build.Request{Dir: src.dir, Package: ".", Goflags: &none, Again: true}
	w := &fastWorld{t: t, src: src, tmp: tmp, plain: req, own: req, counts: map[string]int{}}
	w.plain.Env, w.plain.Tmp = env("plain"), filepath.Join(tmp, "plain-tmp")
	w.own.Env, w.own.Tmp = env("own"), filepath.Join(tmp, "own-tmp")
	return w
}

func (w *fastWorld) path(name string) string { return filepath.Join(w.tmp, fmt.Sprint(name, w.n)) }

// step builds the tree as it is, and says which way that went.
func (w *fastWorld) step() string {
	w.t.Helper()
	w.n++
	req := w.plain
	req.Out = w.path("plain")
	defer os.Remove(req.Out)
	fast, fastErr := fastbuild.Result{}, error(&fastbuild.Refusal{Kind: fastbuild.NoPlan})
	target := fastbuild.Target{Out: w.path("fast"), Folder: w.path("objects"), Known: true}
	if w.plan != nil {
		fast, fastErr = w.plan.Make(context.Background(), target)
	}
	var refusal *fastbuild.Refusal
	if errors.As(fastErr, &refusal) {
		if !w.record() {
			return "does not build"
		}
		return string(refusal.Kind)
	}
	real := build.Run(context.Background(), req)
	if fastErr != nil {
		if real.Err == nil {
			w.t.Errorf("step %d: %v, and the go command builds it", w.n, fastErr)
		}
		return "does not build"
	}
	defer os.Remove(target.Out)
	digest, err := w.digest, error(nil)
	if !fast.Same {
		digest, err = build.Digest(target.Out)
	}
	if err != nil || real.Err != nil || digest != real.Digest {
		w.t.Errorf("step %d: the programs differ: %v %v", w.n, err, real.Err)
	}
	w.plan, w.compiled, w.digest = fast.Next, fast.Compiled, digest
	if fast.Same {
		return "fast, not linked"
	}
	return "fast"
}

// record has the go command build as devguard has it, for the next plan, and reports whether it builds. Of
// files that were written just before, nothing is recorded until it has built a second time.
func (w *fastWorld) record() bool {
	w.t.Helper()
	req := w.own
	req.Out = w.path("own")
	defer os.Remove(req.Out)
	for again := false; ; again = true {
		res, plan, err := verifyBy(context.Background(), req, w.modules, nil, w.path("record"), func(build.Result) bool { return true })
		if res.Err != nil {
			return false
		}
		refusal := (*fastbuild.Refusal)(nil)
		if written := errors.As(err, &refusal) && refusal.Kind == fastbuild.Written; written && !again {
			continue
		}
		if err != nil {
			w.t.Fatal(err, res.Output)
		}
		w.plan, w.digest = plan, res.Digest
		return true
	}
}

// What a package exports is compared by us alone. Were that wrong, the linker finds that an importer
// was compiled with something else, or else the programs differ.
func TestWrongComparisonOfExportsIsCaught(t *testing.T) {
	t.Parallel()
	src := newSources(t, rand.New(rand.NewPCG(1, 1)))
	w := newFastWorld(t, src)
	w.step()
	for _, name := range []string{"constant", "type", "signature", "inlined body", "generic body"} {
		edits[name](src, src.pkgs[0], 77)
		src.write(nil)
		target := fastbuild.Target{Out: w.path("fast"), Folder: w.path(name), Blind: true}
		_, err := w.plan.Make(t.Context(), target)
		if refusal := (*fastbuild.Refusal)(nil); errors.As(err, &refusal) {
			t.Fatalf("%s: %v", name, err)
		}
		if err == nil {
			t.Errorf("%s: the linker has not noticed", name)
		}
		w.step() // by the plan of before
	}
}

// A plan and the program that it is of stay together: were the plan of before taken for one of what is
// served, a fast build that makes that again would be "the same program".
func TestVerifyThatFailsLeavesThePlan(t *testing.T) {
	t.Parallel()
	plan, planned := new(fastbuild.Plan), change.Digest{1}
	s := newFastSupervisor(t, "package main\n\nfunc main() {\n")
	s.plan, s.planned = plan, planned
	ev := s.verify(reload.Verify{ID: 1, Gen: 2, Binary: change.Digest{2}})(t.Context()).(reload.Verified)
	if ev.Err == nil || !strings.Contains(ev.Err.Error(), "build again to verify") {
		t.Fatalf("verified: %v", ev.Err)
	}
	if take, ok := ev.Brings.(func()); ok {
		take()
	}
	if s.plan != plan || s.planned != planned || s.noPlan != (reload.Refusal{}) {
		t.Errorf("the plan is another: %t, of %x, %v", s.plan != plan, s.planned, s.noPlan)
	}
}

// The user's flags come to the tools as the go command gives them.
func TestFastBuildsWithFlags(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"paths trimmed": {"-trimpath"},
		"with DWARF":    {"-ldflags=-w=false -X main.version=1"},
		"position":      {"-buildmode=pie"},
		"race detector": {"-race"},
		"for Delve":     {"-gcflags=all=-N -l", "-ldflags=-w=false"},
		"tags":          {"-tags=a,b", "-mod=mod"},
		"a profile":     nil,
	} {
		if quick := name == "paths trimmed" || name == "with DWARF"; !quick && !*campaign {
			continue // the standard library is compiled for the others
		}
		t.Run(name, func(t *testing.T) {
			src := newSources(t, rand.New(rand.NewPCG(1, 2)))
			if name == "a profile" {
				flags = []string{"-pgo=" + hotCalls(t, src)}
			}
			w := newFastWorld(t, src)
			w.plain.Flags, w.own.Flags = flags, flags
			w.step()
			for _, edit := range []string{"body", "constant", "line shift", "line", "generic body", "hot body"} {
				edits[edit](src, src.pkgs[1], 33)
				src.write(nil)
				if way := w.step(); way != "fast" {
					t.Errorf("%s: %s", edit, way)
				}
			}
			if inlined := len(w.compiled) > 1; inlined != (name == "a profile") {
				t.Errorf("after an edit of a body that only a profile has inlined, compiled were %v", w.compiled)
			}
		})
	}
}

// What an edit does besides need not be what only the go command may judge.
func TestFastBuildsOfMoreThanBodies(t *testing.T) {
	t.Parallel()
	src := newSources(t, rand.New(rand.NewPCG(1, 3)))
	w := newFastWorld(t, src)
	w.step()
	later := slices.IndexFunc(src.pkgs, func(p *genPackage) bool { return p.n > 2 && !src.reaches(p.n, 2) })
	for _, tt := range []struct {
		name string
		edit func()
		want string
	}{
		{"a comment", func() { src.pkgs[2].words = 7 }, "fast, not linked"},
		{"an embedded file", func() { src.text = 7 }, "fast"},
		{"a test file comes", func() { src.pkgs[2].test, src.pkgs[2].body = 1, 5 }, "fast"},
		{"another comes", func() { src.pkgs[5].test, src.pkgs[2].body = 1, 6 }, "fast"},
		{"one goes", func() { src.pkgs[2].test, src.pkgs[2].body = 0, 7 }, "fast"},
		{"and comes with another clause", func() { src.pkgs[2].test, src.pkgs[2].body = 2, 8 }, "does not build"},
		{"and with cgo", func() { src.pkgs[2].test, src.pkgs[2].body = 3, 8 }, "does not build"},
		{"and goes", func() { src.pkgs[2].test, src.pkgs[2].body = 0, 9 }, "fast"},
		{"a comment and a test file", func() { src.pkgs[4].words, src.pkgs[4].test = 8, 1 }, "fast, not linked"},
		{"lines shift", func() { src.pkgs[2].lines = 3 }, "fast"},
		{"a package that gives a function another name", func() { src.pkgs[1].body = 10 }, "fast"},
		{"a function that is not to be inlined", func() { src.pkgs[2].noinline = true }, "fast"},
		{"one that may be again", func() { src.pkgs[2].noinline = false }, "fast"},
		{"lines of another file", func() { src.pkgs[2].line = true }, "fast"},
		{"a file that is excluded", func() { src.pkgs[2].second, src.pkgs[2].excluded = true, true }, "files came or went"},
		{"an edit of it", func() { src.pkgs[2].body, src.pkgs[2].unread = 12, 1 }, "fast"},
		{"an import", func() { src.pkgs[6].imports = append(src.pkgs[6].imports, 4) }, "fast"},
		{"an import of what was compiled later", func() { src.pkgs[2].above, src.pkgs[later].body = later, 13 }, "fast"},
		{"an edit of what is compiled before it now", func() { src.pkgs[later].fields = 3 }, "fast"},
		{"imports in a cycle", func() { src.pkgs[2].above = 8 }, "does not build"},
		{"and without", func() { src.pkgs[2].above = 0 }, "fast"},
		{"a variable that another package knows by its name", func() { src.pkgs[1].variable = 11 }, "fast"},
		{"a package that knows such a variable", func() { src.pkgs[3].constant = 12 }, "fast"},
	} {
		tt.edit()
		src.write(nil)
		if way := w.step(); way != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, way, tt.want)
		}
	}
}

// hotCalls writes a profile of the processor in which Body calls Hot of each package below all the time:
// the compiler then inlines Hot, which is too large for that otherwise. (profile.proto of
// github.com/google/pprof)
func hotCalls(t *testing.T, src *sources) string {
	t.Helper()
	field := func(n int, v uint64) []byte { return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n)<<3), v) }
	message := func(n int, parts ...[]byte) []byte {
		body := slices.Concat(parts...)
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n)<<3|2), uint64(len(body))), body...)
	}
	const start = 20 // a line: what counts is how far below it a call is
	out, ids := message(1, field(1, 1), field(2, 2)), uint64(0)
	names := []string{"", "samples", "count"}
	location := func(pkg int, function string, below int) []byte {
		ids++
		name := uint64(len(names))
		names = append(names, fmt.Sprintf("example.com/m/p%d.%s", pkg, function))
		out = append(out, message(5, field(1, ids), field(2, name), field(3, name), field(5, start))...)
		out = append(out, message(4, field(1, ids), message(4, field(1, ids), field(2, uint64(start+below))))...)
		return field(1, ids)
	}
	for _, p := range src.pkgs {
		for i, n := range p.imports {
			callee, caller := location(n, "Hot", 1), location(p.n, "Body", 2+i)
			out = append(out, message(2, callee, caller, field(2, 1000))...)
		}
	}
	for _, name := range names {
		out = append(out, message(6, []byte(name))...)
	}
	file := filepath.Join(t.TempDir(), "hot.pgo")
	if err := os.WriteFile(file, out, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestFastBuildsEqualRealOnes makes random edits, and compares what is built without the go command
// with what that builds.
func TestFastBuildsEqualRealOnes(t *testing.T) {
	t.Parallel()
	steps := 15
	if *campaign {
		steps = 3000
	}
	r := rand.New(rand.NewPCG(*seed, 0))
	src := newSources(t, r)
	w := newFastWorld(t, src)
	w.step()
	names := slices.Sorted(maps.Keys(edits))
	for step := range steps {
		if end, ok := t.Deadline(); ok && time.Until(end) < time.Minute {
			t.Logf("stopped after %d of %d: the time is over", step, steps)
			break
		}
		src.repair()
		name := names[r.IntN(len(names))]
		pkg := src.pkgs[r.IntN(genPackages)]
		var keep []string
		if name == "same size and time" {
			keep = []string{fmt.Sprintf("p%d/a.go", pkg.n)}
		}
		edits[name](src, pkg, r.IntN(1000))
		src.write(r, keep...)
		way := w.step()
		w.counts[name+": "+way]++
		if t.Failed() {
			t.Fatalf("after %s in p%d", name, pkg.n)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.counts)) {
		t.Logf("%4d %s", w.counts[key], key)
	}
}

// TestWayOf: explain says which way an edit of a source would go.
func TestWayOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module example.com/way\n\ngo 1.24\n",
		"main.go":       "package main\n\nimport (\n\t_ \"embed\"\n\n\t\"example.com/way/asm\"\n)\n\n//go:embed a.html\nvar page string\n\nfunc main() { println(page, asm.F()) }\n",
		"a.html":        "x",
		"asm/asm.go":    "package asm\n\nfunc F() int\n",
		"asm/asm_all.s": "TEXT \u00b7F(SB), 4, $0-8\n\tRET\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	surveys := 0
	wayOf := waysOf(func() (*fastbuild.Plan, error) {
		surveys++
		environ := append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off")
		return survey(t.Context(), build.Request{Dir: dir, Package: ".", Env: environ}, t.TempDir())
	})
	for name, want := range map[string]string{
		"main.go":       "an edit that keeps its imports and directives is built without the go command",
		"a.html":        "an edit of it is built without the go command",
		"asm/asm.go":    "the go command builds an edit of it: the package has assembly or objects: example.com/way/asm",
		"asm/asm_all.s": "the go command builds an edit of it: a file changed that is not compiled",
	} {
		if got := wayOf(filepath.Join(dir, name)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if surveys != 1 {
		t.Errorf("the go command was asked %d times", surveys)
	}
	if got := waysOf(func() (*fastbuild.Plan, error) { return nil, errors.New("go build: exit status 1") })("main.go"); got != "" {
		t.Errorf("of what does not build: %s", got)
	}
}
