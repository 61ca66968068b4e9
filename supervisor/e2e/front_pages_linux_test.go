package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const paged = `package main

import (
	"fmt"
	"net/http"
	"os"
)

const version = "v0"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><html><head><title>", version, "</title></head><body></body></html>")
	})
	http.ListenAndServe(os.Args[1], nil)
}
`

// liveState is what a page is told.
type liveState struct {
	At, CSS  string
	Problems []struct {
		Title, Note string
		Places      []struct {
			Where, Text, Link string
			Source            []struct{ N int }
		}
	}
}

// TestFrontPages: a page is told of what a save breaks, with the place, and of the generation that
// serves once it is mended.
func TestFrontPages(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + freePort(t)
	dir := project(t, map[string]string{
		"main.go":       paged,
		"static/a.css":  "body { color: red }",
		"devguard.toml": "[app]\nargs = ['127.0.0.1:{port}']\n[front]\nlisten = '" + addr + "'\n",
	})
	d := run(t, dir, nil)
	url := "http://" + addr
	d.serves(url, "v0")
	client := &http.Client{Timeout: limit}
	req, _ := http.NewRequest(http.MethodGet, url, nil)
	req.Header.Set("Accept", "text/html")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	res, err = client.Get(url + "/.devguard/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	// until returns the first state that is as wished.
	until := func(what string, ok func(liveState) bool) liveState {
		t.Helper()
		for lines.Scan() {
			text, is := strings.CutPrefix(lines.Text(), "data: ")
			var s liveState
			if is && json.Unmarshal([]byte(text), &s) == nil && ok(s) {
				return s
			}
		}
		t.Fatalf("%s: %v\n%s", what, lines.Err(), d.log())
		panic("unreachable")
	}
	time.AfterFunc(limit, func() { res.Body.Close() })
	first := until("the first state", func(liveState) bool { return true })
	if !strings.Contains(string(page), `<head><script src="/.devguard/live.js" data-at="`+first.At+`"`) {
		t.Errorf("no script in %s", page)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "static", "a.css"), "red", "blue")
	if s := until("another style", func(s liveState) bool { return s.CSS != first.CSS }); s.At != first.At || d.count(mark, "build started")+d.count(mark, "instance stopping") > 0 {
		t.Errorf("a change of a stylesheet: %+v\n%s", s, d.log())
	}
	edit(t, filepath.Join(dir, "main.go"), `"v0"`, `"v0" + x`)
	broken := until("a failure", func(s liveState) bool { return len(s.Problems) > 0 })
	if p := broken.Problems[0]; p.Title != "build failed" || p.Note != "generation 1 still serves" || len(p.Places) != 1 ||
		p.Places[0].Where != "main.go:9:24" || len(p.Places[0].Source) != 7 || !strings.HasSuffix(p.Places[0].Link, "/main.go:9:24") {
		t.Errorf("told %+v", p)
	}
	if broken.At != first.At {
		t.Error("the page reloads, and the app is the same")
	}
	edit(t, filepath.Join(dir, "main.go"), `"v0" + x`, `"v1"`)
	until("the next generation", func(s liveState) bool { return s.At != first.At && len(s.Problems) == 0 })
	d.serves(url, "v1")
	d.stop()
}

// TestFrontOfACrash: a client that is no browser is told that the app crashes at each start, long before
// it has waited for front.hold.
func TestFrontOfACrash(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + freePort(t)
	dir := project(t, map[string]string{
		"main.go":       "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(2) }\n",
		"devguard.toml": "[front]\nlisten = '" + addr + "'\nhold = '10m'\n",
	})
	d := run(t, dir, nil)
	d.wait(0, "instance exited", nil)
	client := &http.Client{Timeout: limit}
	res, err := client.Post("http://"+addr, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log())
	}
	told, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(told), "crashed") {
		t.Errorf("%d %v\n%s", res.StatusCode, res.Header, told)
	}
	d.stop()
}
