package e2e_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/devguard/devguard"

// mayImport is the table of packages: what each may import of ours, in files
// of every operating system, tests included. A package that is not here fails.
var mayImport = table(map[string]string{
	".":                          "*",
	"supervisor":                 "supervisor/config supervisor/classify supervisor/change supervisor/reload supervisor/watch supervisor/graph supervisor/build supervisor/fastbuild supervisor/hook supervisor/proc supervisor/listeners supervisor/hangup supervisor/front supervisor/ready supervisor/delve supervisor/term supervisor/statedir supervisor/console",
	"supervisor/reload":          "supervisor/change supervisor/classify",
	"supervisor/change":          "supervisor/classify",
	"supervisor/classify":        "",
	"supervisor/watch":           "supervisor/change supervisor/classify",
	"supervisor/graph":           "supervisor/change supervisor/classify supervisor/linkcost",
	"supervisor/linkcost":        "",
	"supervisor/build":           "supervisor/change",
	"supervisor/fastbuild":       "",
	"supervisor/hook":            "",
	"supervisor/proc":            "",
	"supervisor/ready":           "",
	"supervisor/hold":            "",
	"supervisor/listeners":       "supervisor/hold",
	"supervisor/hangup":          "",
	"supervisor/delve":           "",
	"supervisor/gate":            "",
	"supervisor/inject":          "",
	"supervisor/front":           "supervisor/gate supervisor/inject",
	"supervisor/seccomp":         "",
	"supervisor/config":          "",
	"supervisor/control":         "supervisor/reload",
	"supervisor/browse":          "",
	"supervisor/cmd":             "supervisor/config supervisor/classify supervisor/control supervisor/doctor supervisor/examine supervisor/reload supervisor/statedir supervisor/translate",
	"supervisor/translate":       "supervisor/config",
	"supervisor/doctor":          "",
	"supervisor/examine":         "supervisor supervisor/config supervisor/change supervisor/doctor supervisor/graph supervisor/hook supervisor/linkcost supervisor/listeners supervisor/proc supervisor/watch",
	"supervisor/console":         "",
	"supervisor/term":            "",
	"supervisor/statedir":        "",
	"supervisor/logline":         "",
	"supervisor/osproc":          "",
	"supervisor/paths":           "",
	"supervisor/goflags":         "",
	"supervisor/goindex":         "",
	"supervisor/dotenv":          "",
	"supervisor/e2e":             "dbguard/embedded supervisor supervisor/config supervisor/control supervisor/statedir",
	"supervisor/testneed":        "",
	"supervisor/logline/logtest": "supervisor/console",
	"dbguard":                    "",
	"dbguard/guard":              "dbguard/login dbguard/dsn dbguard/relay dbguard/session dbguard/activity dbguard/sockets",
	"dbguard/login":              "",
	"dbguard/relay":              "dbguard/session",
	"dbguard/session":            "",
	"dbguard/activity":           "dbguard/session",
	"dbguard/dsn":                "",
	"dbguard/sockets":            "",
	"dbguard/embedded":           "",
	"dbguard/pgtest":             "dbguard/embedded supervisor/testneed",
})

// leaves import nothing of ours, and every package but dbguard may import them, on both
// sides of the seam between supervisor and dbguard.
var leaves = []string{"supervisor/logline", "supervisor/osproc", "supervisor/paths", "supervisor/goflags", "supervisor/goindex", "supervisor/dotenv", "supervisor/seccomp", "supervisor/browse"}

// forTests are for tests alone: theirs may import them everywhere, nothing else may.
var forTests = []string{"dbguard/pgtest", "supervisor/testneed", "supervisor/logline/logtest"}

// pure packages decide: no I/O, no clock, no goroutines.
var pure = []string{"supervisor/change", "supervisor/classify", "supervisor/reload", "supervisor/hold", "supervisor/gate", "supervisor/inject", "supervisor/translate", "supervisor/doctor", "supervisor/linkcost", "dbguard/session"}

// Limits of size. A function above 60 lines wants a reason and a file above
// 500 lines is worth splitting; from here on it is not a matter of taste.
const (
	maxFunction = 80
	maxFile     = 550
)

func table(rows map[string]string) map[string][]string {
	out := map[string][]string{}
	for pkg, imports := range rows {
		out[pkg] = strings.Fields(imports)
	}
	return out
}

// goFile is one parsed file of ours.
type goFile struct {
	name string // relative to the root, with slashes
	pkg  string // its directory, likewise
	test bool
	fset *token.FileSet
	ast  *ast.File

	siblings []goFile // the files of its package, itself among them
}

func parse(name string, src any) (goFile, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution|parser.ParseComments)
	f := goFile{
		name: filepath.ToSlash(name), pkg: path.Dir(filepath.ToSlash(name)),
		test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: tree,
	}
	f.siblings = []goFile{f}
	return f, err
}

// ours returns every Go file of this module, of all operating systems.
func ours(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != "." && (base == "testdata" || strings.HasPrefix(base, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := parse(name, nil)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]goFile{}
	for _, f := range files {
		packages[f.pkg] = append(packages[f.pkg], f)
	}
	for i := range files {
		files[i].siblings = packages[files[i].pkg]
	}
	return files
}

// rules say what is wrong with one file, as lines for a person.
var rules = map[string]func(goFile) []string{
	"imports":   imports,
	"purity":    purity,
	"calls":     calls,
	"lines":     lines,
	"functions": functions,
	"names":     names,
	"locks":     locks,
}

func TestArchitecture(t *testing.T) {
	files := ours(t)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		t.Run(name, func(t *testing.T) {
			for _, f := range files {
				for _, problem := range rules[name](f) {
					t.Error(problem)
				}
			}
		})
	}
}

// TestImportTable: docs/architecture.md has the same table, no row allows what nobody
// imports, and the files that it leads to are there.
func TestImportTable(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\|([^|]*)\\|$").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = []string{}
		for _, name := range quoted.FindAllStringSubmatch(row[2], -1) {
			documented[row[1]] = append(documented[row[1]], name[1])
		}
	}
	documented["."] = []string{"*"} // it says "everything"
	for pkg, allowed := range mayImport {
		if got, ok := documented[pkg]; !ok || !slices.Equal(got, allowed) {
			t.Errorf("docs/architecture.md has %v for %s, this test has %v", got, pkg, allowed)
		}
	}
	used := map[string]bool{}
	for _, f := range ours(t) {
		for _, spec := range f.ast.Imports {
			used[f.pkg+" "+strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")] = true
		}
	}
	for pkg, allowed := range mayImport {
		for _, name := range allowed {
			if name != "*" && !used[pkg+" "+name] {
				t.Errorf("%s may import %s, and does not: take it out of the table", pkg, name)
			}
		}
	}
	_, places, _ := strings.Cut(string(text), "## Where is")
	for _, file := range regexp.MustCompile("`([a-z/_]+\\.go)`").FindAllStringSubmatch(places, -1) {
		if _, err := os.Stat(file[1]); err != nil {
			t.Errorf("docs/architecture.md says where something is: %v", err)
		}
	}
	for pkg := range documented {
		if _, ok := mayImport[pkg]; !ok {
			t.Errorf("docs/architecture.md has a row for %s, this test has none", pkg)
		}
	}
}

func imports(f goFile) (problems []string) {
	allowed, known := mayImport[f.pkg]
	if !known {
		return []string{f.name + ": package is not in the table of packages"}
	}
	for _, spec := range f.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		local, isOurs := strings.CutPrefix(name, module+"/")
		switch {
		case isOurs && f.test && (slices.Contains(forTests, local) || local == f.pkg):
		case isOurs && slices.Contains(forTests, local) && !slices.Contains(forTests, f.pkg):
			problems = append(problems, f.at(spec)+": only tests may import "+local)
		case isOurs && slices.Contains(leaves, local) && f.pkg != "dbguard" && !slices.Contains(leaves, f.pkg):
		case isOurs && !slices.Contains(allowed, local) && !slices.Contains(allowed, "*"):
			problems = append(problems, f.at(spec)+": "+f.pkg+" may not import "+local)
		case f.pkg == "dbguard" && !f.test && strings.Contains(name, ".") && !strings.HasPrefix(name, "github.com/jackc/pgx/"):
			problems = append(problems, f.at(spec)+": dbguard may import pgx alone, not "+name)
		}
	}
	return problems
}

// purity keeps I/O, clock and goroutines out of the packages that decide.
func purity(f goFile) (problems []string) {
	if f.test || !slices.Contains(pure, f.pkg) {
		return nil
	}
	forbidden := []string{"os", "os/exec", "os/signal", "net", "net/http", "syscall", "log/slog", "io/fs", "context", "sync"}
	for _, spec := range f.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if slices.Contains(forbidden, name) {
			problems = append(problems, f.at(spec)+": a package that decides may not import "+name)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
			problems = append(problems, f.at(n)+": a package that decides has no goroutines")
		case *ast.SelectorExpr:
			if callee := selector(n); slices.Contains([]string{"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick", "time.Sleep"}, callee) {
				problems = append(problems, f.at(n)+": a package that decides is given `now`, and does not call "+callee)
			}
		}
		return true
	})
	return problems
}

// calls finds what nobody below main does, and sleeping tests.
func calls(f goFile) (problems []string) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && selector(call.Fun) == "synctest.Test" {
			return false // inside a bubble sleeping only moves the fake clock
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch sel.Sel.Name {
		case "Skip", "Skipf", "SkipNow":
			if f.test && selector(sel) != "testneed.Skip" {
				problems = append(problems, f.at(sel)+": a skip names what it misses, by testneed.Skip")
			}
		}
		switch callee := selector(sel); callee {
		case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit":
			if f.pkg != "." && !f.test && !guardianMain(f) {
				problems = append(problems, f.at(sel)+": only main may call "+callee+": it would leave child processes behind")
			}
		case "os.Chdir", "os.Setenv", "os.Unsetenv", "os.Clearenv":
			if !f.test {
				problems = append(problems, f.at(sel)+": nobody calls "+callee+": it changes the process under others' feet")
			}
		case "time.Sleep":
			if f.test {
				problems = append(problems, f.at(sel)+": a test waits for a condition, it does not sleep")
			}
		}
		return true
	})
	return problems
}

// lines finds lines of the log that are not made by package logline.
func lines(f goFile) (problems []string) {
	// dbguard is the app's, a guardian of the embedded server has a log of its own, and
	// what is for tests alone tells a test.
	others := append([]string{"supervisor/logline", "dbguard", "dbguard/embedded"}, forTests...)
	if f.test || slices.Contains(others, f.pkg) {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 { // Error() of an error has no arguments
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(logMethods, sel.Sel.Name) {
			problems = append(problems, f.at(call)+": a line of the log is made by a function of supervisor/logline")
		}
		return true
	})
	return problems
}

// logMethods are those of slog.Logger that write.
var logMethods = []string{"Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "LogAttrs"}

// guardianMain reports whether the file is the main of a guardian, a process of
// its own whose business is to be gone when nothing is left of what it guards.
func guardianMain(f goFile) bool {
	return f.pkg == "supervisor/proc" && strings.HasPrefix(path.Base(f.name), "guardian_") ||
		f.pkg == "dbguard/embedded" && path.Base(f.name) == "guardian.go"
}

// functions holds the limits of size.
func functions(f goFile) (problems []string) {
	for _, decl := range f.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunction {
			problems = append(problems, fmt.Sprintf("%s: %s has %d lines, the limit is %d", f.at(fn), fn.Name.Name, n, maxFunction))
		}
	}
	if n := f.line(f.ast.FileEnd); n > maxFile && !f.test {
		problems = append(problems, fmt.Sprintf("%s has %d lines, the limit is %d: one idea a file", f.name, n, maxFile))
	}
	return problems
}

// names refuses those that say nothing.
func names(f goFile) []string {
	file := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.name), ".go"), "_test")
	for _, word := range []string{file, f.ast.Name.Name} {
		if slices.Contains([]string{"util", "utils", "common", "types", "manager", "helpers", "misc"}, word) {
			return []string{f.name + `: a name should say what is inside, "` + word + `" does not`}
		}
	}
	if f.ast.Name.Name == "main" && f.pkg != "." {
		return []string{f.name + ": package main is at the root; other programs are under testdata, in modules of their own"}
	}
	return nil
}

func (f goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

func (f goFile) at(n ast.Node) string { return fmt.Sprintf("%s:%d", f.name, f.line(n.Pos())) }

// selector writes x.Sel as "x.Sel", anything else as "".
func selector(e ast.Node) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// TestRulesBite shows that each rule finds what it is for.
func TestRulesBite(t *testing.T) {
	const lock = `package guard; import "sync"; type G struct { mu sync.RWMutex }; `
	long := "func f() {" + strings.Repeat("\n_ = 0", maxFunction) + "\n}"
	for _, c := range []struct{ rule, file, src, want string }{
		{"imports", "supervisor/build/b.go", `package build; import "` + module + `/supervisor/change"`, ""},
		{"imports", "supervisor/proc/p_darwin.go", `package proc; import "` + module + `/supervisor/build"`, "supervisor/proc may not import supervisor/build"},
		{"imports", "supervisor/loop.go", `package supervisor; import "` + module + `/dbguard/guard"`, "supervisor may not import dbguard/guard"},
		{"imports", "supervisor/loop_test.go", `package supervisor; import "` + module + `/dbguard/pgtest"`, ""},
		{"imports", "dbguard/guard/g.go", `package guard; import "` + module + `/dbguard/pgtest"`, "only tests may import"},
		{"imports", "dbguard/log_test.go", `package dbguard; import "` + module + `/supervisor/logline/logtest"`, ""},
		{"imports", "dbguard/log.go", `package dbguard; import "` + module + `/supervisor/logline/logtest"`, "only tests may import"},
		{"imports", "dbguard/retry.go", `package dbguard; import "github.com/urfave/cli/v2"`, "pgx alone"},
		{"imports", "dbguard/retry.go", `package dbguard; import "github.com/jackc/pgx/v5"`, ""},
		{"imports", "supervisor/extra/e.go", `package extra`, "not in the table"},
		{"purity", "supervisor/reload/r.go", `package reload; import "os"`, "may not import os"},
		{"purity", "supervisor/reload/r.go", `package reload; import "time"; var t = time.Now()`, "does not call time.Now"},
		{"purity", "supervisor/reload/r.go", `package reload; func f() { go f() }`, "no goroutines"},
		{"purity", "supervisor/proc/p.go", `package proc; func f() { go f() }`, ""},
		{"calls", "supervisor/cmd/c.go", `package cmd; import "os"; func f() { os.Exit(1) }`, "only main may call os.Exit"},
		{"calls", "main.go", `package main; import "os"; func main() { os.Exit(1) }`, ""},
		{"calls", "main.go", `package main; import "os"; func main() { os.Chdir("/") }`, "nobody calls os.Chdir"},
		{"calls", "supervisor/proc/p_test.go", `package proc; func f() { t.Skipf("no zsh") }`, "a skip names what it misses"},
		{"calls", "supervisor/proc/p_test.go", `package proc; func f() { d.t.Skip() }`, "a skip names what it misses"},
		{"calls", "supervisor/proc/p_test.go", `package proc; func f() { testneed.Skip(t, "pty", err) }`, ""},
		{"calls", "supervisor/proc/p_test.go", `package proc; import "time"; func f() { time.Sleep(1) }`, "does not sleep"},
		{"calls", "supervisor/p_test.go", `package supervisor; func f() { synctest.Test(t, func() { time.Sleep(1) }) }`, ""},
		{"lines", "dbguard/guard/g.go", `package guard; func f() { g.log.Warn("drained", "left", 1) }`, "by a function of supervisor/logline"},
		{"lines", "dbguard/guard/g.go", `package guard; func f() { slog.Info(err.Error()) }`, "by a function of supervisor/logline"},
		{"lines", "dbguard/guard/g.go", `package guard; func f() { _ = err.Error() }`, ""},
		{"lines", "dbguard/log.go", `package dbguard; func f() { log.Warn("x") }`, ""},
		{"functions", "supervisor/proc/p.go", "package proc\n" + long, "f has 82 lines, the limit is 80"},
		{"functions", "supervisor/proc/p.go", "package proc" + strings.Repeat("\n", maxFile+1), "one idea a file"},
		{"names", "supervisor/proc/utils.go", `package proc`, "should say what is inside"},
		{"names", "supervisor/proc/main.go", `package main`, "package main is at the root"},
		{"locks", "dbguard/guard/g.go", lock + `func (g *G) f() { g.mu.Lock(); defer g.mu.Unlock(); go func() { g.mu.RLock() }() }`, ""},
		{"locks", "dbguard/guard/g.go", lock + `func (p *part) f() { p.g.mu.Lock() }; type part struct { g *G }`, "only methods of the struct that has the lock mu take it"},
		{"locks", "dbguard/guard/g.go", lock + `func f(g *G) { g.mu.Lock() }`, "only methods of the struct"},
		{"locks", "dbguard/guard/g.go", lock + `func (p *part) f() { p.mu.Lock() }; type part struct { *G }`, "only methods of the struct"},
		{"locks", "dbguard/guard/g.go", lock + `func f() { syscall.ForkLock.RLock() }`, ""},
		{"locks", "dbguard/guard/g.go", lock + "// part is guarded by G.mu.\ntype part struct { n int }", "another's lock guards part"},
		{"locks", "dbguard/guard/g.go", lock + "type part struct {\n// G.mu guards what follows.\nn int }", "another's lock guards part"},
		{"locks", "dbguard/guard/g.go", `package guard; import "sync"; type g struct { sync.Mutex }`, "g embeds its lock"},
		{"locks", "dbguard/guard/g.go", lock + strings.Repeat("func (g *G) f() {}; ", maxLocked) + "func f(g *G) {}", "31 functions have a G, the limit is 30"},
		{"locks", "dbguard/guard/g.go", `package guard; type Guard struct{}; ` + strings.Repeat("func f(g *Guard) {}; ", maxLocked+1), "31 functions have a Guard"},
	} {
		f, err := parse(c.file, c.src)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(rules[c.rule](f), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s of %s, %.80q:\ngot %q, want %q", c.rule, c.file, c.src, got, c.want)
		}
	}
}

// TestModuleFile: an app that imports dbguard inherits what go.mod says.
func TestModuleFile(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module                 struct{ Path string }
		Go                     string
		Tool, Replace, Exclude []any
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != module {
		t.Errorf("module is %s, want %s", mod.Module.Path, module)
	}
	if mod.Go != "1.25.0" {
		t.Errorf("go directive is %s, want 1.25.0, the lowest that pgx needs", mod.Go)
	}
	if len(mod.Tool) > 0 {
		t.Error("go.mod has tool lines: they belong in testdata/tools/go.mod")
	}
	if len(mod.Replace)+len(mod.Exclude) > 0 {
		t.Error("go.mod has replace or exclude lines: they do not reach an app that imports dbguard")
	}
}
