package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

func TestProblems(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	found := logline.ReadSource(dir, []logline.Diagnostic{{File: "main.go", Line: 5, Col: 2, Msg: "undefined: x"}, {Msg: "too many"}})
	found.Total = 4
	snap := reload.Snapshot{Gen: 3, Ready: true, Failures: []reload.Failure{
		{What: "build", Err: errors.New("main.go:5:2: undefined: x (and 3 more)"), Detail: found},
		{What: "hook sqlc", Err: logline.WithHint(errors.New("exit code 1"), "install it")},
		{What: "ready", Err: errors.New("not ready after 30s")},
	}}
	const note = "generation 3 still serves"
	want := []front.Problem{
		{Title: "build failed", Text: "4 messages, the first 2:", Note: note, Places: []front.Place{
			{
				Where: "main.go:5:2", Text: "undefined: x", Line: 5, Link: "vscode://file" + filepath.ToSlash(dir) + "/main.go:5:2",
				Source: []front.Source{{N: 2, Text: "2"}, {N: 3, Text: "3"}, {N: 4, Text: "4"}, {N: 5, Text: "5"}, {N: 6, Text: "6"}, {N: 7, Text: "7"}, {N: 8, Text: "8"}},
			},
			{Text: "too many"},
		}},
		{Title: "hook sqlc failed", Text: "exit code 1\nhint: install it", Note: note},
		{Title: "the app is not ready", Text: "not ready after 30s", Note: note, NotReady: 3},
	}
	if got := problemsOf(snap, dir, "vscode"); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	crashed := problemsOf(reload.Snapshot{Gen: 3, Phase: "crashed"}, dir, "vscode")
	if len(crashed) != 1 || crashed[0].Title != "the app crashed" || crashed[0].Note != "nothing serves" {
		t.Errorf("after a crash: %+v", crashed)
	}
	directory := placesOf(logline.ReadSource(dir, []logline.Diagnostic{{File: ".", Line: 1}}), dir, "vscode")
	if directory[0].Source != nil || directory[0].Link != "" {
		t.Errorf("of a directory: %v", directory)
	}
}
