package browser

import (
	"os"
	"path/filepath"
	"testing"
)

// files is an app that serves a directory as it is, at the address that is its first argument, and writes a line to the
// file that is its second for each time that the page is asked for.
const files = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	asked, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	static := http.FileServer(http.Dir("static"))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprintln(asked, r.Method)
		}
		static.ServeHTTP(w, r)
	})
	fmt.Println(http.ListenAndServe(os.Args[1], nil))
	os.Exit(1)
}
`

// TestPageOfFiles: a page that is the same file as before is loaded again once for a script that was saved, though the
// browser has a copy of it that is still good.
func TestPageOfFiles(t *testing.T) {
	t.Parallel()
	addr, asked := freeAddr(t), filepath.Join(t.TempDir(), "asked")
	dir := project(t, map[string]string{
		"main.go":           files,
		"static/index.html": "<!doctype html><html><head><title>shop</title><link rel=\"icon\" href=\"data:,\"><script src=\"/app.js\"></script></head><body><h1>Shop</h1></body></html>",
		"static/app.js":     "window.said = 1;\n",
	})
	untouched(t, dir, "static/index.html", "static/app.js")
	d := run(t, dir, "--front="+addr, ".", "--", "127.0.0.1:{port}", asked)
	d.wait(0, "instance ready")
	b := openTab(t)
	b.open("http://" + addr)
	b.await("window.said === 1")
	edit(t, filepath.Join(dir, "static", "app.js"), "1", "2")
	b.await("window.said === 2")
	// A page shows what is wrong once it has found that it is of the newest state.
	edit(t, filepath.Join(dir, "main.go"), "func main() {", "func main() {\n\tsize")
	b.await(overlay + `?.textContent.includes("undefined: size")`)
	text, err := os.ReadFile(asked)
	if want := "GET\nGET\n"; err != nil || string(text) != want || b.loads() != 2 {
		t.Errorf("the app was asked for the page by %q, want %q, and the tab has shown %d, %v", text, want, b.loads(), err)
	}
	b.saidNothing()
}
