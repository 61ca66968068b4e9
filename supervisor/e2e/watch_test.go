package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/embedded"
	"github.com/devguard/devguard/supervisor/testneed"
)

// copyShop copies the sample service below base, and beside it, as here, what its
// go.mod replaces: shopkit, and the library dbguard of this module. It returns the
// shop's directory.
func copyShop(t *testing.T, base string) string {
	t.Helper()
	for _, name := range []string{"testdata/shop", "testdata/shopkit"} {
		if err := os.CopyFS(filepath.Join(base, filepath.FromSlash(name)), os.DirFS(name)); err != nil {
			t.Fatal(err)
		}
	}
	library, err := filepath.Glob("dbguard/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(library, "go.mod") {
		if !strings.HasSuffix(name, "_test.go") {
			write(t, filepath.Join(base, name), readFile(t, name))
		}
	}
	dir := filepath.Join(base, "testdata", "shop")
	if err := os.RemoveAll(filepath.Join(dir, ".devguard")); err != nil { // of whoever ran it there
		t.Fatal(err)
	}
	return dir
}

// shop is copyShop for a test that runs it on a Postgres of its own.
func shop(t *testing.T) string {
	t.Helper()
	account, err := embedded.ServerAccount()
	if err == nil && len(embedded.Find(t.Context(), account, exec.LookPath)) == 0 {
		err = embedded.ErrNoBinaries
	}
	if err != nil {
		testneed.Skip(t, "postgres", err)
	}
	base, err := os.MkdirTemp("", "devguard-e2e-") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "testdata", "shop")
	sum := sha256.Sum256([]byte(dir))
	t.Cleanup(func() {
		serverStops(t, dir)
		os.RemoveAll(base)
		os.RemoveAll("/var/lib/devguard/" + hex.EncodeToString(sum[:8])) // root's data
	})
	return copyShop(t, base)
}

// TestShopServesEveryEdit is the sample service on a private Postgres, edited
// where an app may be.
func TestShopServesEveryEdit(t *testing.T) {
	dir := shop(t)
	port := freePort(t)
	d := run(t, dir, []string{"PORT=" + port})
	d.ready()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, tt := range []struct{ what, file, old, new, page, want string }{
		{"a handler", "internal/web/web.go", `"release %s\n`, `"edited release %s\n`, "/version", "edited release shop-1"},
		{"a package two levels down", "internal/catalog/price/price.go", "prices-1", "prices-2", "/version", "prices prices-2"},
		{"an embedded file", "static/version.txt", "static-1", "static-2", "/version", "static static-2"},
		{"a replaced module outside the root", "../shopkit/shopkit.go", "kit-1", "kit-2", "/version", "kit kit-2"},
		{"a template on disk", "templates/layout.html", "page-1", "page-2", "/", "page-2, release shop-1"},
	} {
		mark := d.mark()
		edit(t, at(tt.file), tt.old, tt.new)
		d.serves("http://127.0.0.1:"+port+tt.page, tt.want)
		ready := d.wait(mark, "instance ready", nil)
		if rule := ready.str("rule"); rule != "http" {
			t.Errorf("%s: ready by rule %q", tt.what, rule)
		}
		builds := d.count(mark, "build started")
		if isTemplate := tt.page == "/"; builds != map[bool]int{true: 0, false: 1}[isTemplate] || d.count(mark, "instance started") != 1 {
			t.Errorf("%s: %d builds, %d starts", tt.what, builds, d.count(mark, "instance started"))
		}
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestExplainIsRightForTheShop(t *testing.T) {
	dir := copyShop(t, t.TempDir())
	const build = "rebuild, then restart if the program differs"
	for _, tt := range []struct{ file, verdict, why string }{
		{"internal/web/web.go", build, "Go source of package example.com/shop/internal/web"},
		{"internal/catalog/price/price.go", build, "Go source of package example.com/shop/internal/catalog/price"},
		{"static/version.txt", build, "//go:embed version.txt"},
		{"../shopkit/shopkit.go", build, "Go source of package example.com/shopkit"},
		{"go.mod", build, "which modules ./cmd/shop is built from"},
		{"../../dbguard/retry.go", build, "Go source of package github.com/devguard/devguard/dbguard"},
		{"../shopkit/go.mod", build, "which modules ./cmd/shop is built from"},
		{"templates/layout.html", "restart without a build", "watch.include"},
		{"internal/web/web_test.go", "nothing", "test file: not part of the binary"},
		{"cmd/gen/main.go", "nothing", "package example.com/shop/cmd/gen is not imported by ./cmd/shop"},
		{"migrations/0001_users.sql", `hook "migrate", then restart without a build`, `watched by hook "migrate"`},
		{"schema/models.txt", `hook "models", then rebuild, then restart if the program differs`, `watched by hook "models"`},
		{"devguard.toml", "read again, then restart without a build", "the configuration"},
	} {
		cmd := exec.Command(binary(t), "explain", tt.file)
		cmd.Dir = dir
		cmd.Env = append(cleanEnv(), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		first, rest, _ := strings.Cut(string(out), "\n")
		if err != nil || first != tt.file+": "+tt.verdict || !strings.Contains(rest, tt.why) {
			t.Errorf("explain %s: %v\n%s\nwant %q because %q", tt.file, err, out, tt.verdict, tt.why)
		}
	}
}

// TestBrokenTestFile holds P1 where a file counts that is none of the program's:
// a test file without a package clause, as an editor makes it, fails the build.
func TestBrokenTestFile(t *testing.T) {
	dir := quietApp(t)
	d := run(t, dir, nil, "--db", "off")
	d.serving("v0 page0")
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	mark := d.mark()
	write(t, at("part/new_test.go"), "")
	edit(t, at("part/part.go"), "v0", "v1")
	failed := d.wait(mark, "build failed", nil)
	if !strings.Contains(failed.Raw, "part/new_test.go:1:1") {
		t.Errorf("the error is not shown with its place: %s", failed.Raw)
	}
	write(t, at("part/new_test.go"), "package part\n")
	d.serving("v1 page0")

	mark = d.mark()
	write(t, at("part/new_test.go"), "package wrong\n")
	edit(t, at("part/part.go"), "v1", "v2")
	d.wait(mark, "build failed", nil)
	if err := os.Remove(at("part/new_test.go")); err != nil {
		t.Fatal(err)
	}
	d.serving("v2 page0")
}

// quietApp is a program in two packages that says what it is made of when it
// starts, with files beside it that are none of its.
func quietApp(t *testing.T) string {
	return project(t, map[string]string{
		"main.go": `package main

import (
	"fmt"
	"os"
	"time"

	"example.com/app/part"
)

// A comment.
func main() {
	page, _ := os.ReadFile("page.html")
	fmt.Printf("serving %s %s pid=%d\n", part.V(), page, os.Getpid())
	time.Sleep(time.Hour)
}
`,
		"part/part.go":      "package part\n\nfunc V() string { return \"v0\" }\n",
		"part/gen.go":       "package part\n\n// Code generated by a hook. DO NOT EDIT.\n",
		"part/part_test.go": "package part\n",
		"other/other.go":    "package other\n",
		"page.html":         "page0",
		"other/other.html":  "other",
		".gitignore":        "ignored/\n",
	})
}

// serving waits until the app says that it is made of text.
func (d *devguard) serving(text string) {
	d.t.Helper()
	last := ""
	if !poll(limit, func() bool { last = d.lastServed(); return strings.HasPrefix(last, text+" ") }) {
		d.t.Fatalf("serves %q, not %q\n%s", last, text, d.log())
	}
}

// lastServed is what the newest instance has said, with its pid.
func (d *devguard) lastServed() string {
	out := d.out.String()
	i := strings.LastIndex(out, "serving ")
	if i < 0 || !strings.HasSuffix(out, "\n") {
		return ""
	}
	return strings.TrimSpace(out[i+len("serving "):])
}

// TestNoWorkForNothing holds P3. That nothing happens is known when a later
// change of something else has been served with nothing in between.
func TestNoWorkForNothing(t *testing.T) {
	dir := quietApp(t)
	d := run(t, dir, nil, "--db", "off", "-v")
	d.serving("v0 page0")
	d.wait(0, "instance started", nil) // which comes after the app's own words
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	same := func(name string) func() {
		return func() {
			data, err := os.ReadFile(at(name))
			if err != nil {
				t.Fatal(err)
			}
			saveWhole(t, at(name), string(data))
		}
	}
	for i, tt := range []struct { // an ignored file is told of once in five seconds: each has its own
		name   string
		do     func()
		file   string
		reason string // of the line `ignored`, or of `restart skipped`
		builds int
	}{
		{"identical bytes", same("main.go"), "main.go", "same bytes", 0},
		{"identical template", same("other/other.html"), "other/other.html", "same bytes", 0},
		{"touch", func() { os.Chtimes(at("go.mod"), time.Now(), time.Now()) }, "go.mod", "same bytes", 0},
		{"chmod", func() { os.Chmod(at("part/part.go"), 0o600) }, "part/part.go", "same bytes", 0},
		{"a test file", func() { saveWhole(t, at("part/part_test.go"), "package part\n\nvar x = 1\n") }, "part/part_test.go", "test file: not part of the binary", 0},
		{"a new test file", func() { saveWhole(t, at("part/new_test.go"), "package part_test\n") }, "part/new_test.go", "test file: not part of the binary", 0},
		{"a generated file, same content", same("part/gen.go"), "part/gen.go", "same bytes", 0},
		{"a swap file", func() { write(t, at("part/.part.go.swp"), "x") }, "part/.part.go.swp", "a temporary file of an editor", 0},
		{"a file of no use", func() { write(t, at("part/notes.txt"), "x") }, "part/notes.txt", "not part of the binary, and matches no watch.include pattern", 0},
		{"an unrelated package", func() { saveWhole(t, at("other/other.go"), "package other\n\nvar X = 1\n") }, "", "", 0},
		{"a comment on the same lines", func() { edit(t, at("main.go"), "// A comment.", "// Another one.") }, "", "the build produced the same program", 1},
	} {
		before, mark := d.lastServed(), d.mark()
		tt.do()
		switch {
		case tt.builds > 0:
			d.wait(mark, "restart skipped", func(l line) bool { return l.str("reason") == tt.reason })
		case tt.file != "":
			d.wait(mark, "ignored", func(l line) bool {
				return l.str("reason") == tt.reason && strings.Contains(l.Raw, `"`+tt.file+`"`)
			})
		}
		if n := d.count(mark, "build started"); n != tt.builds {
			t.Errorf("%s: %d builds, want %d", tt.name, n, tt.builds)
		}
		if d.lastServed() != before || d.count(mark, "instance stopping") > 0 {
			t.Errorf("%s: restarted: %s, before it %s", tt.name, d.lastServed(), before)
		}
		mark = d.mark()
		page := fmt.Sprint("page", i+1)
		saveWhole(t, at("page.html"), page)
		d.serving("v0 " + page)
		d.wait(mark, "instance started", nil)
		if n, builds := d.count(mark, "instance started"), d.count(mark, "build started"); n != 1 || builds != 0 {
			t.Errorf("%s: the template after it: %d starts, %d builds\n%s", tt.name, n, builds, d.log())
		}
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
