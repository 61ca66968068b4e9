package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs testdata/script/*.txtar, one behaviour each. Besides the
// commands of testscript there are
//
//	recipe NAME          writes the files that docs/recipes/NAME.md shows in full
//	exits CODE ARGS...   devguard ARGS ends with that code; then stdout, stderr
//	advises CODE ARGS... the same, and stderr has an error followed by its hint
//	start ARGS...        devguard run ARGS, in the background
//	says TEXT            the app writes TEXT to its stdout, from now on
//	edit FILE OLD NEW    saves a file with one text replaced
//	log MSG [REGEXP]     a line of the log since the last edit, waited for
//	silent MSG           no such line since the last edit
//	total N MSG          so many lines since the start
//	end                  devguard ends like at Ctrl-C, with exit code 0
func TestScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	goEnv := goEnvironment(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := &script{t: t}
			testscript.RunT(inline{t}, testscript.Params{
				Files:    []string{file},
				Deadline: time.Now().Add(scriptTime), // a verb that should fail may run instead
				Setup: func(env *testscript.Env) error {
					env.Vars = append(env.Vars, goEnv...)
					env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"recipe": recipe, "exits": s.exits, "advises": s.advises, "start": s.start, "says": s.says, "edit": s.edit,
					"log": s.log, "silent": s.silent, "total": s.total, "end": s.end,
				},
				Condition: func(cond string) (bool, error) {
					if cond == "root" {
						return os.Getuid() == 0, nil
					}
					return false, errors.New("unknown condition " + cond)
				},
			})
		})
	}
}

// scriptTime bounds one script; the longest take some seconds.
const scriptTime = 3 * time.Minute

// goEnvironment is what the go command needs: nothing is downloaded, and what
// was built once is not built again.
func goEnvironment(t *testing.T) []string {
	t.Helper()
	env := []string{"GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local"}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// inline has a script run in the goroutine of its test, so that the helpers of
// these tests work in it.
type inline struct{ *testing.T }

// Run runs f as part of the same test.
func (i inline) Run(_ string, f func(testscript.T)) { f(i) }

// Parallel does nothing: the test has said it.
func (i inline) Parallel() {}

// Verbose is that of the test.
func (i inline) Verbose() bool { return testing.Verbose() }

// script is the state of one script.
type script struct {
	t       *testing.T
	d       *devguard
	log0    int // where the log stood at the last edit
	stdout0 int // and the app's stdout
}

// shown is a file that a recipe shows in full, as TestDocs has it.
var shown = regexp.MustCompile("(?ms)^<!-- file: (\\S+) -->\n```[a-z]+\n(.*?)^```$")

func recipe(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join("docs", "recipes", args[0]+".md"))
	ts.Check(err)
	files := shown.FindAllStringSubmatch(string(text), -1)
	if len(files) == 0 {
		ts.Fatalf("docs/recipes/%s.md shows no file", args[0])
	}
	for _, file := range files {
		path := ts.MkAbs(file[1])
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, []byte(file[2]), 0o644))
	}
}

func (s *script) exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	var exit *exec.ExitError
	code := 0
	if err := ts.Exec(binary(s.t), args[1:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("devguard: %v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func (s *script) advises(ts *testscript.TestScript, neg bool, args []string) {
	s.exits(ts, neg, args)
	said := ts.ReadFile("stderr")
	if !regexp.MustCompile(`(?m)^devguard: error: .+\n(  .*\n)*devguard: hint: .+$`).MatchString(said) {
		ts.Fatalf("no error with a hint in %q", said)
	}
}

func (s *script) start(ts *testscript.TestScript, _ bool, args []string) {
	s.d = prepare(s.t, ts.MkAbs("."), nil, args...)
	s.log0, s.stdout0 = 0, 0
	s.d.cmd.Env = []string{s.d.marker}
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOTOOLCHAIN", "GOFLAGS", "GOWORK", "CGO_ENABLED", "GOENV",
	} {
		if value := ts.Getenv(name); value != "" {
			s.d.cmd.Env = append(s.d.cmd.Env, name+"="+value)
		}
	}
	s.d.start()
	ts.Defer(s.d.cleanUp)
}

func (s *script) says(ts *testscript.TestScript, _ bool, args []string) {
	if !poll(limit, func() bool { return strings.Contains(s.d.out.String()[s.stdout0:], args[0]) }) {
		ts.Fatalf("the app does not say %q\n%s", args[0], s.d.log())
	}
}

func (s *script) edit(ts *testscript.TestScript, _ bool, args []string) {
	if s.d != nil {
		s.log0, s.stdout0 = s.d.mark(), len(s.d.out.String())
	}
	edit(s.t, ts.MkAbs(args[0]), strings.ReplaceAll(args[1], `\n`, "\n"), strings.ReplaceAll(args[2], `\n`, "\n"))
}

func (s *script) log(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(strings.Join(args[1:], " "))
	s.d.wait(s.log0, args[0], func(l line) bool { return pattern.MatchString(l.Raw) })
}

func (s *script) silent(ts *testscript.TestScript, _ bool, args []string) {
	if n := s.d.count(s.log0, args[0]); n > 0 {
		ts.Fatalf("%d lines %q\n%s", n, args[0], s.d.log())
	}
}

func (s *script) total(ts *testscript.TestScript, _ bool, args []string) {
	if n := s.d.count(0, args[1]); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d lines %q\n%s", n, args[1], s.d.log())
	}
}

func (s *script) end(ts *testscript.TestScript, _ bool, _ []string) {
	if code := s.d.stop(); code != 0 {
		ts.Fatalf("exit code %d", code)
	}
}
