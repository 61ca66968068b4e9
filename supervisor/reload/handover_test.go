package reload

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Fields of State that are the round's alone, and those that are the instance's.
var (
	roundFields    = []string{"round", "rounds", "again", "graph", "config", "hooks", "runHeld", "asked", "met", "built", "buildTook", "binary", "saved"}
	instanceFields = []string{"inst", "next", "owed"}
)

// looksAt names the round and the instance if a file looks at them: at their fields, or
// through methods of the file that is theirs.
func looksAt(f *ast.File, methods map[string]string) map[string]bool {
	found := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		receiver, ok := sel.X.(*ast.Ident)
		if !ok || receiver.Name != "m" && receiver.Name != "s" {
			return true
		}
		switch name := sel.Sel.Name; {
		case slices.Contains(roundFields, name):
			found["the round"] = true
		case slices.Contains(instanceFields, name):
			found["the instance"] = true
		case methods[name] != "":
			found[methods[name]] = true
		}
		return true
	})
	return found
}

// owners says whose the methods of a file are.
var owners = map[string]string{
	"round.go": "the round", "build.go": "the round", "hooks.go": "the round", "graph.go": "the round",
	"instance.go": "the instance",
}

func TestRoundAndInstanceMeetInOnePlace(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files, methods := map[string]*ast.File{}, map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = f
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && owners[name] != "" {
				methods[fn.Name.Name] = owners[name]
			}
		}
	}
	for name, owner := range owners {
		found := slices.Collect(maps.Keys(looksAt(files[name], methods)))
		if !slices.Equal(found, []string{owner}) {
			t.Errorf("%s is %s's and looks at %v", name, owner, found)
		}
	}
	if found := looksAt(files["handover.go"], methods); len(found) != 2 {
		t.Errorf("handover.go looks at %v: the test is blind", found)
	}
}

// A move that a state does not allow is a bug of the decider, and said to be one.
func TestImpossibleMovesPanic(t *testing.T) {
	for name, move := range map[string]func(*machine){
		"a start while it runs":         func(m *machine) { m.start(generation{gen: 2}, "bin") },
		"a drain while it runs":         func(m *machine) { m.drain(stopped{}) },
		"two checks":                    func(m *machine) { m.check(2, "bin"); m.check(2, "bin") },
		"two stops":                     func(m *machine) { m.stop(stopped{}); m.stop(stopped{}) },
		"a check in a stop":             func(m *machine) { m.stop(stopped{}); m.check(2, "bin") },
		"a step of no round":            func(m *machine) { m.build() },
		"two steps":                     func(m *machine) { m.openRound(); m.build(); m.readConfig() },
		"the end of no step":            func(m *machine) { m.openRound(); m.endStep() },
		"the end of a round in a step":  func(m *machine) { m.openRound(); m.build(); m.endRound() },
		"a build cancelled that is not": func(m *machine) { m.cancelBuild() },
	} {
		t.Run(name, func(t *testing.T) {
			w := served(t, Options{})
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
					t.Errorf("panics with %q", text)
				}
			}()
			move(newMachine(w.st, w.now))
		})
	}
}
