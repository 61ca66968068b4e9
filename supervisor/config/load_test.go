package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/logline/logtest"
)

// tree writes files, given as path and contents in turn, below a new directory.
// A path that ends in "/" is an empty directory.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(root, files[i])
		if strings.HasSuffix(files[i], "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFind(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"here", []string{"a/b/devguard.toml", "", "a/devguard.toml", "", ".git/", ""}, "a/b/devguard.toml"},
		{"in a parent", []string{"a/b/x", "", "a/devguard.toml", "", "devguard.toml", "", ".git/", ""}, "a/devguard.toml"},
		{"at the repository's root", []string{"a/b/x", "", "devguard.toml", "", ".git/", ""}, "devguard.toml"},
		{"a worktree's .git is a file", []string{"a/b/x", "", "devguard.toml", "", ".git", "gitdir: x"}, "devguard.toml"},
		{"above the root", []string{"a/b/x", "", "devguard.toml", "", "a/.git/", ""}, ""},
		{"no repository, in the module", []string{"a/b/x", "", "a/go.mod", "", "a/devguard.toml", ""}, "a/devguard.toml"},
		{"no repository, above the module", []string{"a/b/x", "", "a/go.mod", "", "devguard.toml", ""}, ""},
		{"neither repository nor module", []string{"a/b/x", "", "devguard.toml", ""}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, test.files...)
			want := test.want
			if want != "" {
				want = filepath.Join(root, want)
			}
			if got, err := Find(filepath.Join(root, "a", "b")); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestLoadAppliesFlagsOverTheFile(t *testing.T) {
	root := tree(t, "devguard.toml", "name='file'\nlog_format='text'\nverbose=true\n[app]\npackage='./a'\nargs=['x']\n[[database]]\nurl_env=['A']\n[[database]]\nurl_env=['B']\nmode='off'\n", "sub/", "")
	path, work := filepath.Join(root, File), filepath.Join(root, "sub")
	no, yes := false, true
	cfg, err := Load(path, work, Overrides{Name: "flag", LogFormat: "json", DB: "drain", Verbose: &no, EmbeddedDB: &yes, Hold: &yes, Package: "./b", Args: []string{"y"}, HasArgs: true})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "flag" || cfg.LogFormat != "json" || cfg.Verbose || cfg.Dir != root || cfg.Work != work {
		t.Errorf("got %+v", cfg)
	}
	for _, db := range cfg.Databases {
		if db.Mode != ModeDrain || !db.Embedded {
			t.Errorf("got %+v", db)
		}
	}
	if cfg.App.Package != "./b" || cfg.App.BuildDir != work || !cfg.App.HoldSockets || !reflect.DeepEqual(cfg.App.Args, []string{"y"}) {
		t.Errorf("got %+v", cfg.App)
	}
	same, err := Load(path, work, Overrides{})
	if err != nil || same.Name != "file" || same.App.Package != "./a" || same.App.BuildDir != root || same.Databases[0].Mode != ModeAuto {
		t.Errorf("without flags: %+v, %v", same, err)
	}
}

func TestLoadTellsArgumentsFromACommand(t *testing.T) {
	tests := []struct {
		name, file string
		flags      Overrides
		pkg        string
		command    []string
		args       []string
		problem    string
	}{
		{"command", "", Overrides{HasArgs: true, Args: []string{"npm", "start"}}, "", []string{"npm", "start"}, nil, ""},
		{"command, [app] without a target", "[app]\ngrace='1s'", Overrides{HasArgs: true, Args: []string{"npm"}}, "", []string{"npm"}, nil, ""},
		{"no command", "", Overrides{HasArgs: true}, "", nil, nil, "no command after --; write devguard run -- COMMAND [ARGS...]"},
		{"arguments of PACKAGE", "", Overrides{Package: ".", HasArgs: true, Args: []string{"-v"}}, ".", nil, []string{"-v"}, ""},
		{"arguments of the file's package", "[app]\npackage='./a'\nargs=['x']", Overrides{HasArgs: true, Args: []string{"-v"}}, "./a", nil, []string{"-v"}, ""},
		{"no arguments after all", "[app]\npackage='./a'\nargs=['x']", Overrides{HasArgs: true}, "./a", nil, nil, ""},
		{"arguments of the file's command", "[app]\ncommand=['a']", Overrides{HasArgs: true, Args: []string{"-v"}}, "", []string{"a"}, []string{"-v"}, ""},
		{"PACKAGE instead of the file's command", "[app]\ncommand=['a']\nargs=['x']", Overrides{Package: "./b"}, "./b", nil, nil, ""},
		{"pattern", "", Overrides{Package: "./..."}, "", nil, nil, `"./..." is a pattern of packages; name the one to run, like ./cmd/app`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, File, test.file)
			cfg, err := Load(filepath.Join(root, File), root, test.flags)
			if test.problem != "" {
				if err == nil || logtest.Text(err) != test.problem {
					t.Fatalf("got %v, want %s", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.App.Package != test.pkg || !reflect.DeepEqual(cfg.App.Command, test.command) || !reflect.DeepEqual(cfg.App.Args, test.args) {
				t.Errorf("got %+v", cfg.App)
			}
		})
	}
}

func TestLoadProblems(t *testing.T) {
	root := tree(t, "dir/devguard.toml/x", "", "big.toml", strings.Repeat("#", 2<<20), "bad.toml", "x = 1\n")
	tests := []struct {
		name, path, work string
		flags            Overrides
		want             string
	}{
		{"missing file", "no.toml", "", Overrides{}, "no.toml: cannot be read: no such file or directory; check the path after --config"},
		{"directory", "dir/devguard.toml", "", Overrides{}, "devguard.toml: cannot be read: is a directory; make it a readable file"},
		{"too big", "big.toml", "", Overrides{}, "big.toml: cannot be read: it is longer than 1 MiB; make it a readable file"},
		{"place", "bad.toml", "", Overrides{}, `bad.toml:1:1: unknown key "x"; the keys here are`},
		{"missing directory", "", "gone", Overrides{}, "is not a directory; start devguard in the app's working directory, or name it with -C"},
		{"no such mode", "", "", Overrides{DB: "sesion"}, `--db: "sesion" is not a value of it; did you mean "session"?`},
		{"mode", "", "", Overrides{DB: "of"}, `--db: "of" is not a value of it; did you mean "off"?`},
		{"format", "", "", Overrides{LogFormat: "xml"}, `--log-format: "xml" is not a value of it; write one of pretty, text, json`},
		{"name", "", "", Overrides{Name: ".."}, `--name: ".." cannot be the name of a folder everywhere; ` + nameRule},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := test.path
			if path != "" {
				path = filepath.Join(root, path)
			}
			_, err := Load(path, filepath.Join(root, test.work), test.flags)
			var errs Errors
			if !errors.As(err, &errs) || !strings.Contains(logtest.Text(err), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestLoadWithoutAFileIsDefault(t *testing.T) {
	root := t.TempDir()
	cfg, err := Load("", root, Overrides{})
	if err != nil || !reflect.DeepEqual(cfg, Default(root)) {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestShownIsRelativeToTheShell(t *testing.T) {
	t.Chdir(tree(t, "a/b/", ""))
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(cwd, "a", File): filepath.Join("a", File),
		filepath.Dir(cwd):             filepath.Dir(cwd),
		cwd + "x":                     cwd + "x",
	} {
		if got := Shown(path); got != want {
			t.Errorf("Shown(%q) = %q, want %q", path, got, want)
		}
	}
}
