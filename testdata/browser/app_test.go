package browser

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// hello is an app that serves one page, at the address that is its argument.
const hello = `package main

import (
	"fmt"
	"net/http"
	"os"
)

const version = "v1"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html><head><title>app</title></head><body><h1>%s</h1></body></html>", version)
	})
	fmt.Println(http.ListenAndServe(os.Args[1], nil))
	os.Exit(1)
}
`

// TestReloadByHand is what these tests stand on: the browser shows what the app serves, and after a save what the
// next generation serves.
func TestReloadByHand(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	dir := project(t, map[string]string{"main.go": hello})
	d := run(t, dir, ".", "--", addr)
	d.wait(0, "instance ready")
	b := openTab(t)
	b.open("http://" + addr)
	if text := b.eval(`document.querySelector("h1").textContent`); text != `"v1"` {
		t.Errorf("the page has %s", text)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.wait(mark, "instance ready")
	b.open("http://" + addr)
	b.await(`document.querySelector("h1").textContent === "v2"`)
	b.saidNothing()
}

// freeAddr returns an address of this machine that nothing listens on, and whose port nobody else is given.
func freeAddr(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", pgtest.FreePort(t))
}
