package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/translate"
)

const mainProgram = "package main\n\nfunc main() {}\n"

func TestInitFromWritesWhatLoads(t *testing.T) {
	root := tree(t, map[string]string{
		"go.mod": goMod, "cmd/api/main.go": mainProgram, ".env": "",
		".air.toml": "env_files = ['.env', '.env.local']\n[build]\ncmd = 'go build -o ./tmp/main cmd/api/main.go'\nfull_bin = 'A=\"b c\" ./tmp/main'\npost_cmd = ['psql postgres://u:hunter2@h/d']\nnonsense = 1\n",
	})
	var said strings.Builder
	if err := InitFrom(&said, root, ".air.toml", nil); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(filepath.Join(root, config.File), root, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(cfg.Path); err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("%v\n%s", err, text)
	}
	if cfg, err = config.Resolve(cfg); err != nil || cfg.App.Package != "./cmd/api" {
		t.Errorf("package %s, %v", cfg.App.Package, err)
	}
	env, err := config.ReadEnvFiles(cfg.App.EnvFiles, nil)
	if err != nil || len(env) != 1 || env[0] != "A=b c" {
		t.Errorf("environment %q, %v", env, err)
	}
	for _, want := range []string{"wrote ", translate.EnvFile, "env_files (1): .env.local does not exist", " (5): devguard runs nothing", "build.nonsense (6): ", "next: read it, then devguard run"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("does not say %q:\n%s", want, &said)
		}
	}
	if strings.Contains(said.String(), "to be put right") || strings.Contains(said.String(), "hunter2") {
		t.Errorf("said\n%s", &said)
	}
}

// TestInitFromSaysWhereToLook: the address of the front, and how much is in comments alone.
func TestInitFromSaysWhereToLook(t *testing.T) {
	root := tree(t, map[string]string{
		"go.mod": goMod, "main.go": mainProgram,
		".air.toml": "[build]\ncmd = 'go build -o ./tmp/main .'\ndelay = 100\nstop_on_error = true\n[proxy]\nenabled = true\nproxy_port = 8090\n",
	})
	var said strings.Builder
	if err := InitFrom(&said, root, ".air.toml", nil); err != nil {
		t.Fatal(err)
	}
	want := "  settings left out: 3; comments at the end of devguard.toml say why\nnext: read it, then devguard run, and open http://127.0.0.1:8090 in the browser\n"
	if !strings.HasSuffix(said.String(), want) {
		t.Errorf("said\n%s\nwant at its end\n%s", &said, want)
	}
}

func TestInitFromStdin(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": goMod})
	var said strings.Builder
	if err := InitFrom(&said, root, "-", strings.NewReader("wgo run -file .html ./cmd/gone\n")); err != nil {
		t.Fatal(err)
	}
	if want := "  to be put right: package ./cmd/gone: no such directory\n"; !strings.Contains(said.String(), want) {
		t.Errorf("said\n%s", &said)
	}
}

func TestInitFromOverwritesNothing(t *testing.T) {
	const air = "[build]\nfull_bin = 'A=b ./tmp/main'\n"
	for _, file := range []string{config.File, translate.EnvFile} {
		root := tree(t, map[string]string{".air.toml": air, file: "# mine\n"})
		err := InitFrom(new(strings.Builder), root, ".air.toml", nil)
		if usage := (*UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), file+" exists already") {
			t.Errorf("%s: got %v", file, err)
		}
		for _, name := range []string{config.File, translate.EnvFile} {
			data, err := os.ReadFile(filepath.Join(root, name))
			if name == file && string(data) != "# mine\n" || name != file && !os.IsNotExist(err) {
				t.Errorf("%s: %s has %q, %v", file, name, data, err)
			}
		}
	}
}

func TestInitFromWhatCannotBeRead(t *testing.T) {
	root := tree(t, map[string]string{"dir.toml/x": "", "long.toml": strings.Repeat("#\n", 1<<20)})
	for source, want := range map[string]string{
		"gone.toml": "gone.toml: cannot be read: ",
		"dir.toml":  "dir.toml: cannot be read: ",
		"long.toml": "long.toml: is longer than 1 MiB",
	} {
		err := InitFrom(new(strings.Builder), root, source, nil)
		if errs := (config.Errors)(nil); !errors.As(err, &errs) || !strings.HasPrefix(err.Error(), want) || errs.Hint() == "" {
			t.Errorf("%s: got %v", source, err)
		}
		if _, err := os.Stat(filepath.Join(root, config.File)); !os.IsNotExist(err) {
			t.Errorf("%s: wrote something: %v", source, err)
		}
	}
}

func TestInitBesideAnotherToolSaysHowToTranslate(t *testing.T) {
	for _, file := range translatable {
		_, _, said, _ := initialise(t, map[string]string{"go.mod": goMod, "main.go": mainProgram, file: ""})
		if want := "  there is " + file + ", which was not read; to have it translated instead: rm devguard.toml && devguard init --from " + file + "\n"; !strings.Contains(said, want) {
			t.Errorf("said\n%s", said)
		}
	}
}
