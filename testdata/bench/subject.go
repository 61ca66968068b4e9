package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"example.com/bench/run"
)

// subject is a program that is edited under the contenders.
type subject struct {
	name     string
	does     string // for the table
	pkg      string // its main package
	database bool   // it asks for one before it serves
	patience time.Duration
	edits    []edit

	// copy makes a copy below dir, and returns its module.
	copy func(ctx context.Context, repo, dir string, env []string) (root string, err error)
}

// subjects: the shop as it is, and programs of three sizes that serve before they do anything of their own:
// what is measured with them is the build.
var subjects = []subject{
	{
		name: "shop", does: "the shop of testdata/shop, over Postgres", pkg: "./cmd/shop", database: true, patience: patience, edits: edits,
		copy: copyOfShop,
	},
	serving{
		name: "small", pkg: "./cmd/shop", leaf: "internal/catalog/price", leafPath: "example.com/shop/internal/catalog/price",
		importers: []string{"internal/catalog", "internal/config", "internal/models", "internal/store", "internal/web", "static"},
		copy:      copyOfShop,
	}.subject("the shop of testdata/shop, where seven packages import the leaf"),
	serving{
		name: "mid", pkg: ".", leaf: "internal/model", leafPath: "miniflux.app/v2/internal/model", copy: release("miniflux.app/v2@v2.2.16"),
	}.subject("Miniflux 2.2.16"),
	serving{
		name: "large", pkg: "./cmd/prometheus", leaf: "model/labels", leafPath: "github.com/prometheus/prometheus/model/labels",
		copy: release("github.com/prometheus/prometheus@v0.306.0"),
	}.subject("Prometheus 3.6"),
}

// copyOfShop is a subject's copy.
func copyOfShop(_ context.Context, repo, dir string, _ []string) (root string, err error) {
	return filepath.Join(dir, run.ShopDir), run.CopyShop(repo, dir)
}

// serving is a program that gets a file each in its main package and in a package that many others
// import: it then serves, from an init function, what is written in both.
type serving struct {
	name, pkg      string
	leaf, leafPath string   // the directory and the import path of that package
	importers      []string // directories of packages that are made to import it; the others have enough as they are
	copy           func(ctx context.Context, repo, dir string, env []string) (string, error)
}

const (
	mainFile   = "bench_serves.go"
	leafFile   = "bench_word.go"
	importFile = "bench_imports.go"
)

func (s serving) subject(does string) subject {
	inMain, inLeaf := filepath.Join(s.pkg, mainFile), filepath.Join(s.leaf, leafFile)
	return subject{
		name: s.name, does: does, pkg: s.pkg, patience: 3 * time.Minute,
		edits: []edit{
			{name: "package main", file: inMain, word: "main", path: "/version"},
			{name: "leaf body", file: inLeaf, word: "leaf", path: "/version"},
			{name: "lines shift", file: inLeaf, word: "leaf", path: "/version", more: shiftLines},
			{name: "comment", file: inLeaf, word: "note", path: "/pid", silent: true},
			{name: "import added or removed", file: inLeaf, word: "leaf", path: "/version", more: turnImport},
		},
		copy: func(ctx context.Context, repo, dir string, env []string) (string, error) {
			root, err := s.copy(ctx, repo, dir, env)
			if err != nil {
				return "", err
			}
			return root, s.addFiles(root)
		},
	}
}

// shiftLines moves all that comes below the comments on top.
func shiftLines(text []byte) []byte { return append([]byte("// A line.\n"), text...) }

const (
	noImport = "// No import.\n"
	anImport = "import _ \"strings\"\n"
)

func turnImport(text []byte) []byte {
	if bytes.Contains(text, []byte(noImport)) {
		return bytes.Replace(text, []byte(noImport), []byte(anImport), 1)
	}
	return bytes.Replace(text, []byte(anImport), []byte(noImport), 1)
}

func (s serving) addFiles(root string) error {
	name, err := packageName(filepath.Join(root, s.leaf))
	if err != nil {
		return err
	}
	leaf := "package " + name + "\n\n" + noImport + `
// note-v0 is what an edit of a comment changes.

// BenchWord is what the benchmark edits.
//
//go:noinline
func BenchWord() string { return string(append([]byte(nil), "leaf-v0"...)) }
`
	main := `package main

import (
	"log"
	"net/http"
	"os"
	"strconv"

	bench "` + s.leafPath + `"
)

func init() {
	port := os.Getenv("PORT")
	if port == "" {
		return
	}
	answers := http.NewServeMux()
	answers.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("main-v0 " + bench.BenchWord()))
	})
	answers.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strconv.Itoa(os.Getpid())))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, answers))
}
`
	files := map[string]string{filepath.Join(s.leaf, leafFile): leaf, filepath.Join(s.pkg, mainFile): main}
	for _, dir := range s.importers {
		name, err := packageName(filepath.Join(root, dir))
		if err != nil {
			return err
		}
		files[filepath.Join(dir, importFile)] = "package " + name + "\n\nimport _ \"" + s.leafPath + "\"\n"
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var clause = regexp.MustCompile(`(?m)^package (\w+)`)

// packageName is that of the Go files in a directory.
func packageName(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if name := clause.FindSubmatch(text); name != nil && !strings.HasSuffix(file, "_test.go") {
			return string(name[1]), nil
		}
	}
	return "", fmt.Errorf("no package in %s", dir)
}

// release copies a module as GOPROXY has it.
func release(version string) func(ctx context.Context, repo, dir string, env []string) (string, error) {
	return func(ctx context.Context, _, dir string, env []string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", version)
		cmd.Env = append(env[:len(env):len(env)], "GO111MODULE=on", "GOWORK=off")
		cmd.Dir = os.TempDir()
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("download %s: %w: %s", version, err, out)
		}
		var module struct{ Dir string }
		if err := json.Unmarshal(out, &module); err != nil {
			return "", err
		}
		root := filepath.Join(dir, "module")
		if err := os.CopyFS(root, os.DirFS(module.Dir)); err != nil {
			return "", err
		}
		return root, os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("tmp/\n"), 0o644)
	}
}
