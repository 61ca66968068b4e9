package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// slowMigration is a migrating hook that takes its time, and writes down when it begins and
// when it ends.
const slowMigration = `
[[hook]]
name = "migrate"
watch = ["schema.txt"]
run = "echo begin $(cat schema.txt) >> ran.log; sleep 1; echo end >> ran.log; test $(cat schema.txt) != bad"
then = "none"
migrates = true
`

// Two devguards of one project start at the same moment, and see the same edit at the
// same moment: each migration is run once, and both apps are restarted after it.
func TestTwoNamesRunAHookOnce(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server, "schema.txt": "one", "devguard.toml": slowMigration})
	var both []*devguard
	for _, name := range []string{"api", "worker"} {
		both = append(both, run(t, dir, []string{"PORT=" + freePort(t)}, "--name", name))
	}
	for _, d := range both {
		d.ready()
	}
	ran := filepath.Join(dir, "ran.log")
	if got := readFile(t, ran); got != "begin one\nend\n" {
		t.Errorf("at the start it ran\n%s%s%s", got, both[0].log(), both[1].log())
	}
	marks := []int{both[0].mark(), both[1].mark()}
	write(t, filepath.Join(dir, "schema.txt"), "two")
	for i, d := range both {
		d.wait(marks[i], "hook finished", nil)
		d.wait(marks[i], "instance ready", ofGen(2))
	}
	if got := readFile(t, ran); got != "begin one\nend\nbegin two\nend\n" {
		t.Errorf("with the edit it ran\n%s%s%s", got, both[0].log(), both[1].log())
	}
	if logs := both[0].log() + both[1].log(); strings.Count(logs, "and is not run again") != 2 || !strings.Contains(logs, "which runs it") {
		t.Errorf("nobody says so\n%s", logs)
	}
	third := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", "third")
	third.ready()
	if n := third.count(0, "hook started"); n != 0 {
		t.Errorf("a third one runs it again\n%s", third.log())
	}
}

// What failed for one is tried by the other, after it.
func TestTwoNamesRunAFailingHookInTurn(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server, "schema.txt": "bad", "devguard.toml": slowMigration})
	for _, name := range []string{"api", "worker"} {
		d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", name)
		defer func() { d.wait(0, "hook failed", nil) }()
	}
	ran := filepath.Join(dir, "ran.log")
	if !poll(limit, func() bool { text, _ := os.ReadFile(ran); return strings.Count(string(text), "end") == 2 }) {
		t.Fatalf("it ran\n%s", readFile(t, ran))
	}
	if got := readFile(t, ran); got != "begin bad\nend\nbegin bad\nend\n" {
		t.Errorf("it ran\n%s", got)
	}
}
