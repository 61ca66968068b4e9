package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// world is a tree that builds, as data: a program of some packages, two copies
// of a module outside its root of which go.mod picks one, and a page that the
// running program reads.
type world struct {
	pkgs map[string]pkg // by directory below app/pkg
	lib  int            // the copy of the module in use
	libV [2]string
	page string
	note string // of a comment in main.go
}

// pkg is one package of the program.
type pkg struct {
	v      string
	helper string // what its second file says; "": it has none
	embed  string // what its embedded file says; "": it has none
	tag    string // what a file of another GOOS says; "": it has none
	linked bool   // a symbolic link to a directory outside the module
}

func newWorld() world {
	return world{
		pkgs: map[string]pkg{"a": {v: "a0"}, "b": {v: "b0", embed: "e0"}, "a/deep": {v: "d0", helper: "h0"}, "l": {v: "l0", linked: true}},
		libV: [2]string{"x0", "y0"}, page: "p0",
	}
}

func (w world) clone() world {
	w.pkgs = maps.Clone(w.pkgs)
	return w
}

func (w world) names() []string { return slices.Sorted(maps.Keys(w.pkgs)) }

// version is what the program built of the tree says.
func (w world) version() string {
	var b strings.Builder
	for _, name := range w.names() {
		p := w.pkgs[name]
		fmt.Fprintf(&b, "%s=%s/%s/%s ", name, p.v, p.helper, p.embed)
	}
	fmt.Fprintf(&b, "lib=%s page=%s", w.libV[w.lib], w.page)
	return b.String()
}

// linkTo begins the text of a file that is a symbolic link.
const linkTo = "\x00link to "

// render returns every file of the tree, by its path below the base.
func (w world) render() map[string]string {
	files := map[string]string{
		"app/go.mod": "module example.com/app\n\ngo 1.25\n\nrequire example.com/lib v0.0.0\n\n" +
			fmt.Sprintf("replace example.com/lib => ../lib%d\n", w.lib),
		"app/main.go":   w.main(),
		"app/page.html": w.page,
	}
	for i, v := range w.libV {
		dir := fmt.Sprintf("lib%d/", i)
		files[dir+"go.mod"] = "module example.com/lib\n\ngo 1.25\n"
		files[dir+"lib.go"] = "package lib\n\nconst V = \"" + v + "\"\n"
	}
	for name, p := range w.pkgs {
		dir := "app/pkg/" + name + "/"
		if p.linked {
			files["app/pkg/"+name] = linkTo + "../../shared/" + name
			dir = "shared/" + name + "/"
		}
		p.render(dir, files)
	}
	return files
}

func (p pkg) render(dir string, files map[string]string) {
	values := fmt.Sprintf("package p\n\nfunc V() string { return %q }\n", p.v)
	if p.helper == "" {
		values += "\nfunc Helper() string { return \"\" }\n"
	} else {
		files[dir+"helper.go"] = fmt.Sprintf("package p\n\nfunc Helper() string { return %q }\n", p.helper)
	}
	if p.embed == "" {
		values += "\nfunc Embed() string { return \"\" }\n"
	} else {
		files[dir+"embed.go"] = "package p\n\nimport _ \"embed\"\n\n//go:embed data/note.txt\nvar note string\n\nfunc Embed() string { return note }\n"
		files[dir+"data/note.txt"] = p.embed
	}
	if p.tag != "" {
		files[dir+"other_plan9.go"] = "package p\n\nconst other = \"" + p.tag + "\"\n"
	}
	files[dir+"p.go"] = values
}

func (w world) main() string {
	var imports, says strings.Builder
	for i, name := range w.names() {
		fmt.Fprintf(&imports, "\tp%d \"example.com/app/pkg/%s\"\n", i, name)
		fmt.Fprintf(&says, "\tsay += \"%s=\" + p%d.V() + \"/\" + p%d.Helper() + \"/\" + p%d.Embed() + \" \"\n", name, i, i, i)
	}
	return `package main // ` + w.note + `

import (
	"os"
	"strconv"
	"time"

	"example.com/lib"
` + imports.String() + `)

func main() {
	page, _ := os.ReadFile("page.html")
	say := ""
` + says.String() + `	say += "lib=" + lib.V + " page=" + string(page)
	os.Stdout.WriteString("serving " + say + " pid=" + strconv.Itoa(os.Getpid()) + "\n")
	for os.Getenv("ONCE") == "" {
		time.Sleep(time.Hour)
	}
}
`
}
