//go:build unix

package console

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// blockOf is what a failed build shows under its first line.
func blockOf(t *testing.T, d logline.Diagnostics, color bool) string {
	t.Helper()
	_, block, _ := strings.Cut(log(t, logline.BuildFailed(1, 0, 0, nil, d), "pretty", slog.LevelInfo, color), "\n")
	return strings.ReplaceAll(block, "\n"+indent, "\n")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDiagnosticsShowTheSource(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.go"), "package a\n\n\tx := \"é\" + foo()\n\n"+strings.Repeat("y", 500)+"\n")
	got := blockOf(t, logline.ReadSource(dir, []logline.Diagnostic{
		{File: "a.go", Line: 3, Col: 14, Msg: "undefined: foo\n\thave ()\n\twant (int)"},
		{File: filepath.Join(dir, "a.go"), Line: 5, Col: 400, Msg: "too long"},
		{File: "a.go", Line: 4, Col: 1, Msg: "on an empty line"},
		{File: "a.go", Line: 1, Col: 99, Msg: "beyond its line"},
		{File: "a.go", Line: 99, Msg: "beyond its file"},
		{File: "gone.go", Line: 1, Col: 1, Msg: "no such file"},
		{Msg: "package x is not in std"},
	}), false)
	want := strings.Join([]string{
		indent + "a.go:3:14: undefined: foo",
		"      have ()",
		"      want (int)",
		`     3 |     x := "é" + foo()`,
		"       |                ^",
		filepath.Join(dir, "a.go") + ":5:400: too long",
		"     5 | " + strings.Repeat("y", maxColumns) + " ...",
		"a.go:4:1: on an empty line",
		"a.go:1:99: beyond its line",
		"     1 | package a",
		"a.go:99: beyond its file",
		"gone.go:1:1: no such file",
		"package x is not in std",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDiagnosticsAreBounded(t *testing.T) {
	var all []logline.Diagnostic
	for i := range 13 {
		all = append(all, logline.Diagnostic{File: "x.go", Line: i + 1, Msg: fmt.Sprint("no ", i)})
	}
	d := logline.ReadSource(t.TempDir(), all)
	got := strings.Split(blockOf(t, d, false), "\n")
	if len(got) != logline.MaxDiagnostics+1 || got[logline.MaxDiagnostics] != "and 3 more" {
		t.Errorf("%q", got)
	}
	if text := log(t, logline.BuildFailed(1, 0, 0, nil, d), "pretty", slog.LevelInfo, false); !strings.HasPrefix(text, "build failed after 0 ms: 13 errors\n") {
		t.Errorf("%q", text)
	}
}

func TestDiagnosticsInColor(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.go"), "\tfoo()\n")
	got := blockOf(t, logline.ReadSource(dir, []logline.Diagnostic{{File: "a.go", Line: 1, Col: 2, Msg: "undefined: foo"}}), true)
	want := indent + "\x1b[1ma.go:1:2: \x1b[0m\x1b[31mundefined: foo\x1b[0m\n" +
		"\x1b[2m     1 | \x1b[0m    foo()\n" +
		"\x1b[2m       | \x1b[0m    \x1b[31m^\x1b[0m"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// A file name of a message may be anything: reading a pipe would never end.
func TestReadSourceOfAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "p.go"), 0o600); err != nil {
		testneed.Skip(t, "mkfifo", err)
	}
	if d := logline.ReadSource(dir, []logline.Diagnostic{{File: "p.go", Line: 1}, {File: "", Line: 1}, {File: ".", Line: 1}}); strings.Join(d.Source, "") != "" {
		t.Errorf("%q", d.Source)
	}
}
