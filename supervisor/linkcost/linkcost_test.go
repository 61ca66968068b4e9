package linkcost

import (
	"fmt"
	"go/build/constraint"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// program reads lines like "x/db 30 fmt x/wire": a package, its bytes, its imports. The first one is main,
// app and app/... are the user's own, x/... is of module x, and what else has no slash is of the standard library.
func program(lines string) *Program {
	p := &Program{}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		bytes, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			panic(err)
		}
		pkg := Package{Path: words[0], Bytes: bytes, Imports: words[2:]}
		switch first, _, inside := strings.Cut(pkg.Path, "/"); {
		case first == "app":
			pkg.Own = true
		case inside:
			pkg.Module = first
		}
		if p.Main == "" {
			p.Main = pkg.Path
		}
		p.Packages = append(p.Packages, pkg)
	}
	return p
}

// said is a cost in words: "total; module packages/bytes <within ^above ...".
func said(c Cost) string {
	all := []string{fmt.Sprintf("%d/%d", c.Packages, c.Bytes)}
	for _, m := range c.Modules {
		var text strings.Builder
		text.WriteString(fmt.Sprintf("%s %d/%d", m.Path, m.Packages, m.Bytes))
		if m.Within != "" {
			text.WriteString(" <" + m.Within)
		}
		for _, path := range m.Above {
			text.WriteString(" ^" + path)
		}
		all = append(all, text.String())
	}
	return strings.Join(all, "; ")
}

func TestWeigh(t *testing.T) {
	for _, c := range []struct{ name, program, want string }{
		{"alone", "app 5 fmt \n fmt 20", "2/20"},
		{"with what of the standard library it alone needs", `
			app 5 fmt x/db
			x/db 30 fmt net
			fmt 20
			net 50`, "4/100; x 2/80 ^app"},
		{"with the modules that it alone needs, which come with it", `
			app 5 x/db
			x/db 60 y/wire
			y/wire 40 z/zip
			z/zip 30`, "4/130; x 3/130 ^app; y 2/70 <x ^app ^x/db; z 1/30 <x ^app ^x/db ^y/wire"},
		{"without what two need", `
			app 5 x/db y/web
			x/db 60 z/log
			y/web 50 z/log
			z/log 40`, "4/150; x 1/60 ^app; y 1/50 ^app; z 1/40 ^app ^x/db ^y/web"},
		{"all packages of a module are one", `
			app 5 x/a x/b
			x/a 10 z/log
			x/b 10 z/log
			z/log 40`, "4/60; x 3/60 ^app; z 1/40 <x ^app ^x/a ^x/b"},
		{"by way of the user's own, which count as packages alone", `
			app 5 app/store
			app/store 7 x/db
			x/db 60 app/hooks
			app/hooks 9`, "4/60; x 2/60 ^app ^app/store"},
		{"nothing that is less than a twentieth", `
			app 5 x/small y/large
			x/small 4
			y/large 96`, "3/100; y 1/96 ^app"},
		{"exactly a twentieth", `
			app 5 x/small y/large
			x/small 5
			y/large 95`, "3/100; y 1/95 ^app; x 1/5 ^app"},
		{"by packages where one archive is not there", `
			app 5 x/a y/b
			x/a 99
			y/b 0 y/c
			y/c 3`, "4/0; y 2/0 ^app; x 1/0 ^app"},
		{"the archives of the user's own may be missing", `
			app 0 app/store
			app/store 0 x/db
			x/db 60`, "3/60; x 1/60 ^app ^app/store"},
		{"what nobody imports is there all the same", `
			app 5 x/db
			runtime/cgo 40 runtime
			runtime 50
			x/db 10 runtime`, "4/100; x 1/10 ^app"},
		{"unsafe has no archive", `
			app 5 x/db
			x/db 10 unsafe
			unsafe 0`, "3/10; x 2/10 ^app"},
		{"an import that is not there", "app 5 C x/db \n x/db 10 C", "2/10; x 1/10 ^app"},
		{"two that import each other's packages", `
			app 5 x/a
			x/a 10 y/b
			y/b 10 x/c
			x/c 10`, "4/30; x 3/30 ^app; y 2/20 <x ^app ^x/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(c.program)
			for i := range p.Packages { // runtime/cgo looks like a package of a module
				if p.Packages[i].Path == "runtime/cgo" {
					p.Packages[i].Module = ""
				}
			}
			if got := said(Weigh(p)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// sources reads lines like "app/db.go slim && !linux: x/db fmt": a file, its constraint, its imports. linux
// holds, windows is fixed, and all other tags may be set.
func sources(t *testing.T, lines string) Sources {
	t.Helper()
	s := Sources{Files: map[string][]Source{}, Tags: map[string]Tag{"linux": Set, "windows": Fixed}}
	for line := range strings.Lines(lines) {
		head, imports, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		name, when, _ := strings.Cut(head, " ")
		source := Source{Name: name, Imports: strings.Fields(imports)}
		if when != "" {
			x, err := constraint.Parse("//go:build " + when)
			if err != nil {
				t.Fatal(err)
			}
			source.Constraint = x
			x.Eval(func(tag string) bool {
				if _, known := s.Tags[tag]; !known {
					s.Tags[tag] = Free
				}
				return false
			}) // it asks for every tag
		}
		pkg := name[:strings.LastIndex(name, "/")]
		s.Files[pkg] = append(s.Files[pkg], source)
	}
	return s
}

func TestExits(t *testing.T) {
	const one = "app 5 fmt x/db \n x/db 60 \n fmt 20"
	const inner = `
		app 5 app/store x/db
		app/store 5 x/db
		x/db 60 y/wire
		y/wire 40`
	for _, c := range []struct{ name, program, sources, want string }{
		{"no constraint", one, "app/main.go: fmt x/db", ""},
		{"a file that the tag leaves out", one, "app/main.go: fmt \n app/db.go !slim: x/db", "x: slim app/db.go"},
		{"another file comes in its place", one, "app/main.go: fmt \n app/db.go !slim: x/db \n app/none.go slim: fmt", "x: slim app/db.go"},
		{"which imports it, too", one, "app/main.go: fmt \n app/db.go !slim: x/db \n app/none.go slim: x/db", ""},
		{"which imports another package of it", one, "app/main.go: fmt \n app/db.go !slim: x/db \n app/none.go slim: x/small", ""},
		{"which imports the root of it", one, "app/main.go: fmt \n app/db.go !slim: x/db \n app/none.go slim: x", ""},
		{"which imports one of a similar name", one, "app/main.go: fmt \n app/db.go !slim: x/db \n app/none.go slim: xy/z", "x: slim app/db.go"},
		{"a file without a constraint imports it", one, "app/main.go: fmt x/db \n app/db.go !slim: x/db", ""},
		{"which is of a package that is out itself", inner, "app/main.go !slim: app/store x/db \n app/store/store.go: x/db \n app/store/none.go slim: x/small", "x: slim app/main.go; y: slim app/main.go"},
		{"of several files the one that is in now", one, "app/a.go windows: x/db \n app/db.go !slim: x/db", "x: slim app/db.go"},
		{"of several files the one that leads to it", one, "app/a.go !slim: fmt \n app/db.go !slim: x/db", "x: slim app/db.go"},
		{"with other tags", one, "app/main.go: fmt \n app/db.go linux && !slim: x/db", "x: slim app/db.go"},
		{"another tag brings it back", one, "app/main.go: fmt \n app/db.go !slim || with_db: x/db", "x: slim app/db.go"},
		{"a tag that is none for -tags", one, "app/main.go: fmt \n app/db.go !windows: x/db", ""},
		{"a tag that brings it", one, "app/main.go: fmt x/db \n app/db.go more: x/db", ""},
		{"two files, two tags", one, "app/main.go: fmt \n app/a.go !slim: x/db \n app/b.go !thin: x/db", ""},
		{"two files, one tag", one, "app/main.go: fmt \n app/a.go !slim: x/db \n app/b.go !slim: x/db", "x: slim app/a.go"},
		{"one of two that import it", inner, "app/main.go: app/store \n app/db.go !slim: x/db \n app/store/store.go: x/db", ""},
		{"both of two that import it", inner, "app/main.go: app/store \n app/db.go !slim: x/db \n app/store/store.go !slim: x/db", "x: slim app/db.go; y: slim app/db.go"},
		{"a way that ends earlier", inner, "app/main.go !slim: app/store x/db \n app/store/store.go: x/db", "x: slim app/main.go; y: slim app/main.go"},
		{"in a package of others", inner, "app/main.go: app/store x/db \n app/store/store.go: x/db \n x/db/wire.go !nowire: y/wire", "y: nowire x/db/wire.go"},
		{"the tag that leaves more is first", inner, "app/main.go !slim: app/store x/db \n app/store/store.go: x/db \n x/db/wire.go !nowire: y/wire", "x: slim app/main.go; y: nowire x/db/wire.go slim app/main.go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(c.program)
			exits := Exits(p, Weigh(p).Modules, sources(t, c.sources))
			var all []string
			for _, module := range slices.Sorted(maps.Keys(exits)) {
				var text strings.Builder
				text.WriteString(module + ":")
				for _, e := range exits[module] {
					text.WriteString(" " + e.Tag + " " + e.File)
				}
				all = append(all, text.String())
			}
			if got := strings.Join(all, "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
