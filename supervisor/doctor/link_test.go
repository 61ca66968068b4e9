package doctor

import (
	"strings"
	"testing"
)

// TestLink: what is said of a program that is long to link; none of it is a warning.
func TestLink(t *testing.T) {
	badger := LinkModule{Path: "example.com/badger", Packages: 35, Bytes: 12_400_000, Exit: &Exit{"nobadger", "store/badger.go", 370}}
	wire := LinkModule{Path: "example.com/wire", Packages: 9, Bytes: 6_000_000, Within: "example.com/badger"}
	alone := LinkModule{Path: "example.com/alone", Packages: 8, Bytes: 5_000_000}
	exit := func(m LinkModule, tag string) LinkModule {
		m.Exit = &Exit{tag, "x.go", 400}
		return m
	}
	without := func(m LinkModule) LinkModule {
		m.Exit = nil
		return m
	}
	const (
		all   = "each build links 410 packages; those that are not your own are 88 MB of compiled code"
		brief = "example.com/badger brings 35 packages that nothing else needs, 12 MB (14%)"
		leave = brief + "; the build tag nobadger leaves it out, with what store/badger.go does: 40 packages less in all"
		inner = "example.com/wire brings 9 packages that nothing else needs, 6 MB (7%)"
		can   = "to leave out what you can do without, "
		below = " below [build] in devguard.toml"
	)
	of := func(modules ...LinkModule) Link { return Link{Packages: 410, Bytes: 88e6, Modules: modules} }
	set := func(tags string, flags ...string) Link {
		l := of(badger)
		l.Tags, l.Flags = strings.Fields(tags), flags
		return l
	}
	for _, c := range []struct {
		name string
		link Link
		want []string
	}{
		{"no module of weight", of(), []string{all + "; no module alone brings a twentieth of that"}},
		{"nothing is compiled", Link{Packages: 410, Modules: []LinkModule{{Path: "example.com/x", Packages: 30}}},
			[]string{"each build links 410 packages; how large they are is known when all are compiled", "example.com/x brings 30 packages that nothing else needs"}},
		{"no tag", of(without(badger)), []string{all, brief}},
		{"a tag", of(badger), []string{all, leave, can + `write flags = ["-tags", "nobadger"]` + below}},
		{"beside tags of GOFLAGS", set("a b"), []string{all, leave, can + `write flags = ["-tags", "a,b,nobadger"]` + below}},
		{"beside tags of build.flags", set("a", "-tags=a"), []string{all, leave, can + `write flags = ["-tags", "a,nobadger"]` + below}},
		{"beside other flags, which may be secret", set("", "-ldflags=-X main.key=geheim"), []string{all, leave, can + `add "-tags", "nobadger" to flags` + below}},
		{"beside both", set("a", "-race", "-tags", "a"), []string{all, leave, can + `write "-tags", "a,nobadger" in place of -tags in flags` + below}},
		{"one within another", of(without(badger), wire), []string{all, brief}},
		{"one within another, by the same tag", of(badger, exit(wire, "nobadger")), []string{all, leave, can + `write flags = ["-tags", "nobadger"]` + below}},
		{"one within another, by a tag of its own", of(without(badger), exit(wire, "nowire")),
			[]string{all, brief, inner + "; the build tag nowire leaves it out, with what x.go does: 10 packages less in all", can + `write flags = ["-tags", "nowire"]` + below}},
		{"two by one tag, and one by another", of(badger, exit(alone, "nobadger"), exit(wire, "nowire")),
			[]string{all, leave, "example.com/alone brings 8 packages that nothing else needs, 5 MB (6%); the build tag nobadger leaves it out, too",
				inner + "; the build tag nowire leaves it out, with what x.go does: 10 packages less in all",
				can + `write flags = ["-tags", "nobadger,nowire"]` + below + ", or fewer of these tags"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := well()
			f.Link = &c.link
			r := Examine(f)
			var got []string
			for _, l := range r.Lines {
				if l.Check == "link" {
					got = append(got, l.Text)
				}
			}
			if r.Problems+r.Warnings != 0 || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%d problems, %d warnings:\n%s\nwant\n%s", r.Problems, r.Warnings, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
	if !strings.Contains(documented(t), "`link`") {
		t.Error("docs/json.md does not name link")
	}
	if LinkIsLong(149) || !LinkIsLong(150) {
		t.Error("the bound is 150 packages")
	}
}
