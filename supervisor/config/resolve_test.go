package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

const program, library = "package main\nfunc main() {}\n", "package lib\n"

func TestResolvePackage(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		arg   string
		flags []string
		want  string
	}{
		{"here", []string{"main.go", program, "cmd/a/a.go", program}, "", nil, "."},
		{"here, with a syntax error", []string{"main.go", program, "b.go", "package main\nfunc {"}, "", nil, "."},
		{"only command", []string{"lib.go", library, "cmd/a/a.go", program, "cmd/lib/l.go", library}, "", nil, "./cmd/a"},
		{"only command for this system", []string{"cmd/a/a.go", program, "cmd/b/b.go", "//go:build plan9\n\n" + program}, "", nil, "./cmd/a"},
		{"only command with these tags", []string{"cmd/a/a.go", "//go:build !dev\n\n" + program, "cmd/b/b.go", "//go:build dev\n\n" + program}, "", []string{"-race", "-tags", "x,dev"}, "./cmd/b"},
		{"a test file is no program", []string{"main_test.go", "package main\n", "cmd/a/a.go", program}, "", nil, "./cmd/a"},
		{"named", []string{"cmd/a/a.go", program, "cmd/b/b.go", program}, "./cmd/b", nil, "./cmd/b"},
		{"named without ./", []string{"cmd/a/a.go", program}, "cmd/a", nil, "./cmd/a"},
		{"import path", []string{"go.mod", "module shop\n", "shop/a/a.go", program}, "shop/a", nil, "shop/a"},
		{"import path of another module", nil, "example.com/x/cmd/y", nil, "example.com/x/cmd/y"},
		{"file", nil, "main.go", nil, "main.go"},
		{"named, nothing for this system", []string{"a/a.go", "//go:build plan9\n\n" + library}, "./a", nil, "./a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := Default(tree(t, test.files...))
			cfg.Build.Flags = test.flags
			if got, err := ResolvePackage(cfg, test.arg); got != test.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestResolvePackageProblems(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		arg   string
		want  string
	}{
		{"several", []string{"cmd/a/a.go", program, "cmd/b/b.go", program}, "", "several programs could be run: ./cmd/a, ./cmd/b; name one: devguard run ./cmd/a"},
		{"further down", []string{"svc/a/main.go", program, "testdata/x/main.go", program, "vendor/v/main.go", program}, "", "nothing to run: neither . nor ./cmd/* is a program; name one of ./svc/a"},
		{"no module", []string{"x/", ""}, "", "nothing to run: neither . nor ./cmd/* is a program; there is no go.mod here or above: start it with `go mod init`, or run any command with devguard run -- COMMAND"},
		{"library", []string{"go.mod", "module x\n", "x.go", library}, "", "nothing to run: neither . nor ./cmd/* is a program; name a package, like devguard run ./cmd/app, or run any command with devguard run -- COMMAND"},
		{"mistyped", []string{"cmd/app/a.go", program}, "./cmd/ap", `package ./cmd/ap: no such directory; did you mean "./cmd/app"?`},
		{"named library", []string{"lib/l.go", library, "srv/a.go", program}, "./lib", "package ./lib is a library (package lib), not a program; the programs here are ./srv"},
		{"pattern", nil, "./...", `"./..." is a pattern of packages; name the one to run, like ./cmd/app`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ResolvePackage(Default(tree(t, test.files...)), test.arg)
			var errs Errors
			if !errors.As(err, &errs) || logtest.Text(err) != test.want {
				t.Errorf("got %q, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestResolveNames(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		app   App
		want  string
	}{
		{"module of .", []string{"go.mod", "// the shop\nmodule example.com/x/shop // ours\n", "main.go", program}, App{}, "shop"},
		{"major version", []string{"go.mod", "module \"example.com/shop/v2\"\n", "main.go", program}, App{}, "shop"},
		{"package's directory", []string{"go.mod", "module m\n", "cmd/My App/a.go", program}, App{Package: "./cmd/My App"}, "My-App"},
		{"only command", []string{"cmd/api/a.go", program}, App{}, "api"},
		{"import path", nil, App{Package: "example.com/x/tool/v3"}, "tool"},
		{"file", []string{"srv/main.go", program}, App{Package: "./srv/main.go"}, "srv"},
		{"command", nil, App{Command: []string{"/usr/bin/npm", "start"}}, "npm"},
		{"hidden", []string{".x/a.go", program}, App{Package: "./.x"}, "x"},
		{"nothing left", nil, App{Command: []string{"./.."}}, "app"},
		{"reserved", nil, App{Command: []string{"embedded"}}, "embedded-app"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := Default(tree(t, test.files...))
			test.app.BuildDir = cfg.Work
			cfg.App = test.app
			got, err := Resolve(cfg)
			if err != nil || got.Name != test.want {
				t.Errorf("got %+v, %v, want name %s", got, err, test.want)
			}
			if (got.App.Package == "") == (len(got.App.Command) == 0) {
				t.Errorf("not one target: %+v", got.App)
			}
		})
	}
}

func TestResolveTakesTheFilesPackageFromTheFilesDirectory(t *testing.T) {
	root := tree(t, "devguard.toml", "[app]\npackage='cmd/a'\n", "cmd/a/a.go", program, "web/", "")
	cfg, err := Load(filepath.Join(root, File), filepath.Join(root, "web"), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Resolve(cfg)
	if err != nil || got.App.Package != "./cmd/a" || got.App.BuildDir != root || got.Name != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzFolderName(f *testing.F) {
	for _, seed := range []string{"", ".", "-", "shop", "My App", "Embedded", "embedded.lock", strings.Repeat("é-", 99), "a/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := folderName(s)
		if msg := badName(name); name == "" || msg != "" {
			t.Errorf("folderName(%q) = %q: %s", s, name, msg)
		}
		if folderName(name) != name {
			t.Errorf("folderName(%q) = %q is not stable", s, name)
		}
	})
}
