package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

func TestReadEnvFiles(t *testing.T) {
	root := tree(t, "a.env", "\ufeff# first\r\nexport A=1\r\nB='two # words'\r\nC=\"x $A ${A} \\$A\" # note\r\nHOME=/wrong\r\nEMPTY=\r\n",
		"b.env", "A=2\nD=$A$NOWHERE\nM=\"line\nline\"\nLAST=x")
	environ := []string{"PATH=/bin", "HOME=/root", "EMPTY_TOO=", "PATH=/again"}
	before := slices.Clone(environ)
	got, err := ReadEnvFiles([]string{filepath.Join(root, "a.env"), filepath.Join(root, "b.env")}, environ)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PATH=/bin", "HOME=/root", "EMPTY_TOO=", "PATH=/again",
		"A=2", "B=two # words", "C=x 1 1 $A", "D=2", "EMPTY=", "LAST=x", "M=line\nline"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if !slices.Equal(environ, before) {
		t.Errorf("environ was changed: %q", environ)
	}
}

func TestReadEnvFilesProcessEnvironmentWinsWhenEmpty(t *testing.T) {
	root := tree(t, "a.env", "A=1\n")
	got, err := ReadEnvFiles([]string{filepath.Join(root, "a.env")}, []string{"A="})
	if err != nil || !slices.Equal(got, []string{"A="}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadEnvFilesProblems(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
		want       string
	}{
		{"not an assignment", "A=1\n\n# note\nhunter2 is it\n", 4, "is not an assignment to a variable"},
		{"lone word at the end", "A=1\nhunter2", 2, "is not an assignment to a variable"},
		{"open quote", "A=1\nB=\"two\nlines\"\nPASSWORD=\"hunter2\nC=3\n", 4, "a quoted value is not closed"},
		{"open quote, then others", "A='hunter2\nB=\"x\"\nC=\"y\"\n", 1, "a quoted value is not closed"},
		{"no name", "A=1\n=hunter2\n", 2, "a variable has no name, or a space in it"},
		{"space in the name", "A=1\nA B=hunter2\n", 2, "a variable has no name, or a space in it"},
		{"NUL", "A=1\nB=hunter2\x00\n", 2, "contains a NUL character"},
		{"odd letter", "A=1\nA-B=hunter2\n", 2, "is not an assignment to a variable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, ".env", test.text)
			_, err := ReadEnvFiles([]string{filepath.Join(root, ".env")}, nil)
			var one *Error
			if !errors.As(err, &one) || one.Line != test.line || one.Msg != test.want {
				t.Errorf("got %v, want line %d: %s", err, test.line, test.want)
			}
			if strings.Contains(logtest.Text(err), "hunter2") {
				t.Errorf("quotes the file: %v", err)
			}
		})
	}
}

func TestReadEnvFilesNamesEachMissingFile(t *testing.T) {
	root := tree(t, "ok.env", "A=1\n", "dir/", "")
	_, err := ReadEnvFiles([]string{filepath.Join(root, "no.env"), filepath.Join(root, "ok.env"), filepath.Join(root, "dir")}, nil)
	if err == nil || strings.Count(err.Error(), "env file cannot be read") != 2 ||
		!strings.Contains(logtest.Text(err), "no.env: env file cannot be read: no such file or directory; create it, or take it out of app.env_files") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadEnvFile(f *testing.F) {
	for _, seed := range []string{"", "A=1", "A='", "A=\"\\\"", "export", "A=$", "A=${", "=\n", "A:1\nB: 2", "\"\"\"", "A=x y='z'\n'"} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), ".env")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		env, err := readEnvFile(path)
		if err != nil && (err.Line < 1 || err.Line > 1+strings.Count(text, "\n")) {
			t.Fatalf("%+v", err)
		}
		for name, value := range env {
			if name == "" || strings.ContainsAny(name, "=\x00\n") || strings.ContainsRune(value, 0) {
				t.Fatalf("%q=%q cannot be a variable", name, value)
			}
		}
	})
}
