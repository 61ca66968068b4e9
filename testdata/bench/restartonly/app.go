package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"example.com/bench/run"
)

// source is the program without a database, but for run.Serve.
const source = `package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	page, err := os.ReadFile("templates/layout.html")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write(page) })
	serve()
}
`

// app is a copy of the program, and where it answers.
type app struct {
	dir  string // its module
	pkg  string
	url  string
	env  []string
	edit int // how often its template was written
}

// template is read at the start of the program, which then answers / with the word in it.
const template = "templates/layout.html"

func newApp(o options, work, name string, env []string) (*app, error) {
	dir := filepath.Join(work, name)
	a := &app{dir: dir, pkg: "."}
	if o.database {
		a.dir, a.pkg = filepath.Join(dir, run.ShopDir), "./cmd/shop"
		if err := run.CopyShop(o.repo, dir); err != nil {
			return nil, err
		}
		if err := os.Remove(filepath.Join(a.dir, "devguard.toml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	} else if err := writeAll(dir, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": source, "serve.go": run.Serve, template: "page-0\n"}); err != nil {
		return nil, err
	}
	port, err := run.FreePort()
	if err != nil {
		return nil, err
	}
	a.url = fmt.Sprintf("http://127.0.0.1:%d/", port)
	a.env = append(env[:len(env):len(env)], fmt.Sprintf("PORT=%d", port))
	return a, nil
}

func writeAll(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var word = regexp.MustCompile(`page-\w+`)

// change puts a new word into the template, and returns it.
func (a *app) change() (string, error) {
	a.edit++
	want := fmt.Sprintf("page-r%dx", a.edit)
	file := filepath.Join(a.dir, template)
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return want, os.WriteFile(file, word.ReplaceAll(text, []byte(want)), 0o644)
}

// every is the pause between two requests of a client, and how exact it is.
const every = time.Millisecond

// await asks by fresh connections until the program answers with that word.
func (a *app) await(ctx context.Context, want string) (at time.Time, err error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; run.Pause(ctx, every) {
		answer, err := client.Get(a.url)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if strings.Contains(string(body), want) {
			return time.Now(), nil
		}
	}
	return at, fmt.Errorf("%s was never served at %s", want, a.url)
}
