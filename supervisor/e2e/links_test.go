package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// showing is a program that serves what it finds in pages, gen and page.html, at its start.
const showing = `package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	text := ""
	for _, glob := range []string{"pages/*.html", "pages/*/*.html", "page.html", "gen/*"} {
		names, _ := filepath.Glob(glob)
		for _, name := range names {
			data, _ := os.ReadFile(name)
			text += string(data) + ";"
		}
	}
	fmt.Printf("serving %s pid=%d\n", text+os.Getenv("WHO"), os.Getpid())
	time.Sleep(time.Hour)
}
`

// shows waits until the app serves a page, hides until it does not any more. No page may change more
// than three times: the app might be the one that does it.
func (d *devguard) shows(page string) { d.t.Helper(); d.showsIt(page, true) }
func (d *devguard) hides(page string) { d.t.Helper(); d.showsIt(page, false) }

func (d *devguard) showsIt(page string, want bool) {
	d.t.Helper()
	last := ""
	if !poll(limit, func() bool {
		last = d.lastServed()
		return last != "" && strings.Contains(last, page+";") == want
	}) {
		d.t.Fatalf("serves %q: of %s that should be %v\n%s", last, page, want, d.log())
	}
}

// edits writes a page and waits until the app has it, twice: as a new file, and edited.
func (d *devguard) edits(tr tree, dir, page string) {
	d.t.Helper()
	for i := range 2 {
		text := fmt.Sprint(page, "-", i)
		saveWhole(tr.t, tr.at(dir+"/"+page+".html"), text)
		d.shows(text)
	}
}

// TestBehindALink has pages behind a symbolic link whose target comes and goes.
func TestBehindALink(t *testing.T) {
	for name, test := range map[string]func(tr tree, run func() *devguard){
		"removed and made again": func(tr tree, run func() *devguard) {
			tr.write("shared/pages/first.html", "first")
			tr.link("../shared/pages", "app/pages")
			d := run()
			d.shows("first")
			tr.remove("shared/pages")
			d.hides("first")
			d.edits(tr, "shared/pages", "again")
			tr.remove("shared") // and what it was in
			d.hides("again-1")
			d.edits(tr, "shared/pages/deep", "deep")
		},
		"swapped": func(tr tree, run func() *devguard) {
			tr.write("releases/1/in/one.html", "one")
			tr.write("releases/2/in/two.html", "two")
			tr.write("releases/3/in/three.html", "three")
			tr.link("1", "releases/current")
			tr.link("../releases/current/in", "app/pages")
			d := run()
			d.shows("one")
			tr.link("2", "releases/next")
			tr.rename("releases/next", "releases/current")
			d.shows("two")
			d.edits(tr, "releases/2/in", "edited")
			tr.rename("releases/2", "releases/old")
			d.hides("two")
			tr.rename("releases/1", "releases/2")
			d.shows("one")
			tr.remove("releases/current") // as ln -sfn does it
			tr.link("3", "releases/current")
			d.shows("three")
			d.edits(tr, "releases/3/in", "last")
		},
		"dangling at start": func(tr tree, run func() *devguard) {
			tr.write("shared/other", "")
			tr.link("../shared/pages", "app/pages")
			tr.link("../later/page.html", "app/page.html")
			d := run()
			d.hides("directory-0")
			d.edits(tr, "shared/pages", "directory")
			tr.remove("shared/pages/directory.html")
			d.hides("directory-1")
			d.edits(tr, "later", "page")
		},
		"made while it dangles": func(tr tree, run func() *devguard) {
			d := run()
			d.hides("directory-0")
			tr.link("../shared/pages", "app/pages")
			tr.link("../shared/page.html", "app/page.html")
			d.edits(tr, "shared/pages", "directory")
			tr.remove("shared/pages/directory.html")
			d.hides("directory-1")
			d.edits(tr, "shared", "page")
		},
	} {
		for mode, config := range map[string]string{"events": "", "poll": "[watch]\npoll = \"50ms\"\n"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				tr := newTree(t, map[string]string{"app/main.go": showing, "app/devguard.toml": config})
				test(tr, func() *devguard { return tr.run() })
			})
		}
	}
}

// TestHookAndEnvFileBehindALink has a hook's input and an env file behind links.
func TestHookAndEnvFileBehindALink(t *testing.T) {
	for mode, config := range map[string]string{"events": "", "poll": "[watch]\npoll = \"50ms\"\n"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t, map[string]string{
				"app/main.go": showing, "shared/env": "WHO=+one\n", "app/own.in": "own",
				"app/devguard.toml": config + "[app]\nenv_files = [\".env\"]\n[[hook]]\nname = \"copy\"\nwatch = [\"own.in\", \"schema/**/*.in\"]\n" +
					"run = \"mkdir -p gen; cat own.in schema/*.in >gen/out 2>/dev/null || true\"\nthen = \"restart\"\n",
			})
			tr.link("../shared/env", "app/.env")
			tr.link("../shared/schema", "app/schema")
			d := tr.run()
			d.serving("own;+one")
			for _, text := range []string{"a", "b"} {
				tr.write("shared/schema/x.in", text) // made at once
				d.serving("own" + text + ";+one")
				tr.write("shared/schema/x.in", text+", edited")
				d.serving("own" + text + ", edited;+one")
				tr.remove("shared/schema")
				d.serving("own;+one")
			}
			tr.write("shared/env.2", "WHO=+two\n")
			tr.rename("shared/env.2", "shared/env")
			d.serving("own;+two")
			tr.rename("shared", "away")
			tr.write("shared/env", "WHO=+three\n")
			d.serving("own;+three")
			tr.write("other/env", "WHO=+four\n")
			tr.link("../other/env", "app/.env.new")
			tr.rename("app/.env.new", "app/.env")
			d.serving("own;+four")
			tr.write("other/env", "WHO=+five\n")
			d.serving("own;+five")
		})
	}
}

// TestPackageBehindALink has a package, with a file that it embeds, behind a link.
func TestPackageBehindALink(t *testing.T) {
	const embeds = "package part\n\nimport _ \"embed\"\n\n//go:embed text/v.txt\nvar text string\n\nfunc V() string { return text }\n"
	for mode, config := range map[string]string{"events": "", "poll": "[watch]\npoll = \"50ms\"\n"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t, map[string]string{
				"app/main.go": program("example.com/app/part"), "app/devguard.toml": config,
				"shared/1/part.go": embeds, "shared/1/text/v.txt": "one",
			})
			tr.link("../shared/1", "app/part")
			d := tr.run()
			d.serving("one")
			for _, text := range []string{"two", "three"} {
				mark := d.mark()
				tr.rename("shared/1", "shared/away")
				d.wait(mark, "build failed", nil)
				tr.write("shared/1/part.go", embeds)
				tr.write("shared/1/text/v.txt", text)
				d.serving(text)
				tr.write("shared/1/text/v.txt", text+", edited")
				d.serving(text + ", edited")
				tr.remove("shared/away")
			}
			tr.write("shared/2/part.go", part("swapped"))
			tr.link("../shared/2", "app/part.new")
			tr.rename("app/part.new", "app/part")
			d.serving("swapped")
			tr.write("shared/2/part.go", part("edited at last"))
			d.serving("edited at last")
		})
	}
}

// TestLinkOfAnotherBranch has a link, or what it leads to, on one git branch only.
func TestLinkOfAnotherBranch(t *testing.T) {
	for name, tt := range map[string]struct {
		link, to, page string
		gone           []string
	}{
		"the link of a directory":        {"pages", "themes/a", "themes/a/page.html", []string{"pages"}},
		"the target of that":             {"pages", "themes/a", "themes/a/page.html", []string{"themes"}},
		"both":                           {"pages", "themes/a", "themes/a/page.html", []string{"pages", "themes"}},
		"the target of a link to a file": {"page.html", "themes/a/page.html", "themes/a/page.html", []string{"themes"}},
	} {
		for mode, config := range map[string]string{"events": "", "poll": "poll = \"50ms\"\n"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				tr := newTree(t, map[string]string{
					"app/main.go": showing, "app/.gitignore": ".devguard\n", "app/" + tt.page: "first",
					"app/devguard.toml": "[watch]\nexclude = [\"themes/**\"]\n" + config, // it counts by the name of the link
				})
				tr.link(tt.to, "app/"+tt.link)
				tr.git("init", "-q", "-b", "main")
				tr.git("add", "-A")
				tr.git("commit", "-q", "-m", "one")
				tr.git("checkout", "-q", "-b", "other")
				tr.git(append([]string{"rm", "-q", "-r"}, tt.gone...)...)
				tr.git("commit", "-q", "-m", "two")
				d := tr.run()
				d.hides("first")
				tr.git("checkout", "-q", "main")
				d.shows("first")
				tr.git("checkout", "-q", "other")
				d.hides("first")
				tr.git("checkout", "-q", "main")
				d.shows("first")
				if tt.link == "pages" {
					d.edits(tr, "app/pages", "new")
				}
			})
		}
	}
}
