package browser

import (
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// site is an app that serves one page, at the address that is its argument. A request may ask for a
// Content-Security-Policy, and for more in the head.
const site = `package main

import (
	"fmt"
	"net/http"
	"os"
)

const version = "v1"

func main() {
	http.Handle("/static/", http.FileServer(http.Dir(".")))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy := r.FormValue("policy"); policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprintf(w, page, r.FormValue("head"), version)
	})
	fmt.Println(http.ListenAndServe(os.Args[1], nil))
	os.Exit(1)
}

const page = ` + "`" + `<!doctype html>
<html lang="en">
<head><meta charset="utf-8">%s<title>shop</title><link rel="stylesheet" href="/static/app.css"></head>
<body><h1>Shop %s</h1><p>Twelve apples, picked by hand this morning.</p>
<form><label>Quantity <input id="quantity"></label> <button>Order</button></form></body>
</html>
` + "`" + `
`

// What a page has, as JavaScript.
const (
	overlay = `document.querySelector("devguard-overlay")?.shadowRoot`
	heading = `document.querySelector("h1")?.textContent`
	color   = `getComputedStyle(document.querySelector("h1")).color`
)

const red, blue = "rgb(200, 0, 0)", "rgb(0, 0, 200)"

// shop is the site in a directory of its own, and where it is served behind the front.
type shop struct {
	t         *testing.T
	dir, addr string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, addr: freeAddr(t), dir: project(t, map[string]string{
		"main.go":        site,
		"static/app.css": "h1 { color: " + red + " }\nbody { font: 18px sans-serif; margin: 0 2em }\n",
		"static/app.js":  "window.said = 1;\n",
	})}
	untouched(t, s.dir, "static/app.css", "static/app.js")
	return s
}

// url is that of the page, with a query of these names and values.
func (s *shop) url(query ...string) string {
	v := url.Values{}
	for i := 0; i < len(query); i += 2 {
		v.Set(query[i], query[i+1])
	}
	return "http://" + s.addr + "/?" + v.Encode()
}

// run runs devguard, and its front where the app itself binds if that is to be had.
func (s *shop) run() *devguard {
	if runtime.GOOS == "linux" {
		return run(s.t, s.dir, "--front", ".", "--", s.addr)
	}
	return run(s.t, s.dir, "--front="+s.addr, ".", "--", "127.0.0.1:{port}")
}

func (s *shop) edit(file, old, new string) {
	s.t.Helper()
	edit(s.t, filepath.Join(s.dir, filepath.FromSlash(file)), old, new)
}

// TestPageFollowsSaves: a page shows what was saved without a hand on it, and what is wrong with it.
func TestPageFollowsSaves(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	d := s.run()
	d.wait(0, "instance ready")
	b := openTab(t)
	b.open(s.url("head", `<script src="/static/app.js"></script>`))
	b.await(heading + ` === "Shop v1" && window.said === 1`)

	// Another stylesheet leaves the page as it stands.
	b.eval(`document.querySelector("#quantity").value = "12"`)
	b.eval(`window.count = 7`)
	s.edit("static/app.css", red, blue)
	b.await(color + ` === "` + blue + `"`)
	if kept := b.eval(`[document.querySelector("#quantity").value, window.count, document.querySelectorAll("link").length]`); kept != `["12",7,1]` {
		t.Errorf("a change of a stylesheet has left %s of the page", kept)
	}

	s.edit("main.go", `"v1"`, `"v1" + size`)
	b.await(overlay + `?.textContent.includes("main.go:9:24")`)
	for _, want := range []string{"build failed", "undefined: size", `const version = \"v1\" + size`, "generation 1 still serves"} {
		if text := b.eval(overlay + `.querySelector(".back").innerText`); !strings.Contains(text, want) {
			t.Errorf("the overlay has not %s, but %s", want, text)
		}
	}
	b.shoot("overlay") // docs/images has it: go test -run TestPageFollowsSaves . -shots ../../docs/images

	loads := b.loads()
	s.edit("main.go", `"v1" + size`, `"v2"`)
	b.await(heading + ` === "Shop v2" && ` + color + ` === "` + blue + `" && !` + overlay)
	s.edit("static/app.js", "1", "2")
	b.await(`window.said === 2 && ` + color + ` === "` + blue + `"`)
	if n := b.loads() - loads; n != 2 {
		t.Errorf("loaded %d times for two saves", n)
	}
	b.saidNothing()
}

// policies are what a page forbids in its header, and what it has in its head.
var policies = map[string][2]string{
	"a nonce":                      {"script-src 'nonce-cmFuZG9t' 'strict-dynamic'; style-src 'self'; object-src 'none'; base-uri 'none'"},
	"no connection":                {"default-src 'none'; script-src 'self'; style-src 'self'"},
	"no connection, a nonce":       {"default-src 'none'; script-src 'nonce-cmFuZG9t'; style-src 'self'"},
	"trusted types":                {"default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"},
	"no connection, trusted types": {"default-src 'self'; connect-src 'none'; require-trusted-types-for 'script'"},
	"in the document":              {"", `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'">`},
}

// TestPolicies: pages that forbid much follow saves all the same, and nothing of it is forbidden to them.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	d := s.run()
	d.wait(0, "instance ready")
	tabs := map[string]*tab{}
	for name, p := range policies {
		tabs[name] = openTab(t)
		tabs[name].open(s.url("policy", p[0], "head", p[1]))
		tabs[name].await(heading + ` === "Shop v1"`)
	}
	// A page that runs no script is told nothing.
	none := openTab(t)
	none.open(s.url("head", `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'">`))
	s.edit("main.go", `"v1"`, `"v1" + size`)
	for name, b := range tabs {
		t.Log(name)
		b.await(overlay + `?.textContent.includes("main.go:9:24")`)
		b.await(`getComputedStyle(` + overlay + `.querySelector(".back")).position === "fixed"`)
	}
	s.edit("main.go", `"v1" + size`, `"v2"`)
	for name, b := range tabs {
		t.Log(name)
		b.await(heading + ` === "Shop v2"`)
		b.saidNothing()
	}
	none.saidNothing()
}

// TestPageOutlivesDevguard: a page that stays open while devguard is run again follows the new one.
func TestPageOutlivesDevguard(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	d := s.run()
	d.wait(0, "instance ready")
	b := openTab(t)
	b.open(s.url())
	b.await(heading + ` === "Shop v1"`)
	d.stop()
	s.edit("main.go", `"v1"`, `"v2"`)
	s.run()
	b.await(heading + ` === "Shop v2"`)
	if n := b.loads(); n != 2 {
		t.Errorf("loaded %d times", n)
	}
	for _, line := range b.said() { // nobody can keep a browser from saying this of a stream that it opens again
		if !strings.Contains(line, "net::ERR_") || !strings.Contains(line, "/.devguard/events") {
			t.Errorf("on the console: %s", line)
		}
	}
}

// TestPageOfACrash: who opens a page while the app crashes at its start is told, and sees the page once it does not.
func TestPageOfACrash(t *testing.T) {
	t.Parallel()
	const sound, ill = "func main() {\n", "func main() {\n\tpanic(\"no goods\")\n"
	s := newShop(t)
	s.edit("main.go", sound, ill)
	d := run(t, s.dir, "--front="+s.addr, ".", "--", "127.0.0.1:{port}")
	b := openTab(t)
	d.wait(0, "instance waiting") // for the next start
	b.open(s.url())
	b.await(overlay + `?.textContent.includes("the app crashed")`)
	if text := b.eval("document.body.innerText"); !strings.Contains(text, "the app has crashed") {
		t.Errorf("without scripts the page has %s", text)
	}
	s.edit("main.go", ill, sound)
	b.await(heading + ` === "Shop v1" && !` + overlay)
	s.edit("main.go", sound, ill)
	b.await(overlay + `?.textContent.includes("the app crashed")`)
	s.edit("main.go", `const version = "v1"

`+ill, `const version = "v2"

`+sound)
	b.await(heading + ` === "Shop v2" && !` + overlay)
	if n := b.loads(); n != 3 {
		t.Errorf("loaded %d times", n)
	}
	for _, line := range b.said() {
		if line != fmt.Sprintf("error: Failed to load resource: the server responded with a status of 503 (Service Unavailable) (%s)", s.url()) {
			t.Errorf("on the console: %s", line)
		}
	}
}
