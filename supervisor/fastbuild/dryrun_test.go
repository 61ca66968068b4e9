package fastbuild

import (
	"slices"
	"strings"
	"testing"
)

// dry is what go 1.26 prints, cut to a few packages.
const dry = `mkdir -p $WORK/b002/
#
# m/p
#

cat >$WORK/b002/embedcfg << 'EOF' # internal
{
	"Patterns": {"x.txt": ["x.txt"], "tmpl/*.html": ["tmpl/a.html"], "static": ["static/js/a.js"]},
	"Files": {"x.txt": "/m/p/x.txt", "tmpl/a.html": "/m/p/tmpl/a.html", "static/js/a.js": "/m/p/static/js/a.js"}
}EOF
echo '# import config' > $WORK/b002/importcfg # internal
cd /m
/go/pkg/tool/linux_amd64/compile -o $WORK/b002/_pkg_.a -trimpath "$WORK/b002=>" -p m/p -lang=go1.26 -complete -buildid x/x -goversion go1.26.8 -c=2 -nolocalimports -importcfg $WORK/b002/importcfg -embedcfg $WORK/b002/embedcfg -pack ./p/a.go "./p/a b.go"
go tool buildid -w $WORK/b002/_pkg_.a # internal
cat >$WORK/b003/importcfg << 'EOF' # internal
# import config
importmap x=vendor/x
packagefile m/p=$WORK/b002/_pkg_.a
EOF
/go/pkg/tool/linux_amd64/compile -o $WORK/b003/_pkg_.a -trimpath "$WORK/b003=>" -p net -std -buildid x/x -symabis $WORK/b003/symabis -importcfg $WORK/b003/importcfg -pack -asmhdr $WORK/b003/go_asm.h /go/src/net/a.go $WORK/b003/_cgo_gotypes.go
go tool pack r $WORK/b003/_pkg_.a $WORK/b003/a.o # internal
TERM='dumb' CGO_LDFLAGS='' /go/pkg/tool/linux_amd64/cgo -objdir $WORK/b003/ -importpath net "-ldflags=\"-O2\"" -- -I $WORK/b003/ ./a.go
cat >$WORK/b001/importcfg << 'EOF' # internal
packagefile m/p=$WORK/b002/_pkg_.a
packagefile net=$WORK/b003/_pkg_.a
EOF
/go/pkg/tool/linux_amd64/compile -o $WORK/b001/_pkg_.a -trimpath "$WORK/b001=>" -p main -importcfg $WORK/b001/importcfg -pack .2/main.go
cat >$WORK/b001/importcfg.link << 'EOF' # internal
packagefile m/app=$WORK/b001/_pkg_.a
packagefile m/p=$WORK/b002/_pkg_.a
packagefile net=$WORK/b003/_pkg_.a
modinfo "path\tm"
EOF
cd .
GOROOT='/go' /go/pkg/tool/linux_amd64/link -o $WORK/b001/exe/a.out -importcfg $WORK/b001/importcfg.link -buildmode=exe -buildid=a/b/b/a -w -X "main.x=a b" -extld=gcc $WORK/b001/_pkg_.a
`

func planOf(t *testing.T, text string) (*Plan, *Refusal) {
	t.Helper()
	d, refused := readDryRun(text)
	if refused != nil {
		return nil, refused
	}
	return newPlan(d, "/go", "/mod")
}

func TestPlanOfADryRun(t *testing.T) {
	p, refused := planOf(t, dry)
	if refused != nil {
		t.Fatal(refused)
	}
	leaf, std, main := p.byPath["m/p"], p.byPath["net"], p.main()
	if !slices.Equal(leaf.Files, []string{"/m/p/a.go", "/m/p/a b.go"}) || leaf.Dir != "/m/p" || !leaf.Local || leaf.Blocked != nil {
		t.Errorf("got %+v", leaf)
	}
	if e := leaf.embed; !slices.Equal(e.whole, []string{"/m/p/static"}) || !slices.Equal(e.patterns, []string{"/m/p/tmpl/*.html"}) ||
		!slices.Equal(e.parents, []string{"/m/p/static", "/m/p/static/js", "/m/p/tmpl"}) {
		t.Errorf("got %+v", e)
	}
	if std.Local || std.Blocked == nil || !slices.Equal(std.cfg, []string{"importmap x=vendor/x"}) || !slices.Equal(std.Imports, []string{"m/p"}) {
		t.Errorf("got %+v", std)
	}
	if main.Path != "m/app" || main.Dir != "/m2" || !slices.Equal(p.link.env, []string{"GOROOT=/go"}) || !slices.Contains(p.link.args, "main.x=a b") ||
		!slices.Equal(p.linkCfg, []string{`modinfo "path\tm"`}) {
		t.Errorf("got %+v, %+v", main, p.link)
	}
}

func TestPlanWithAProfile(t *testing.T) {
	prepares := "/go/pkg/tool/linux_amd64/preprofile -o $WORK/b009/pgo.preprofile -i /m/default.pgo\n"
	compiles := strings.ReplaceAll(dry, " -pack ", " -pgoprofile=$WORK/b009/pgo.preprofile -pack ")
	p, refused := planOf(t, prepares+compiles)
	if refused != nil || p.profile == nil || p.byPath["m/p"].Blocked != nil {
		t.Fatal(p, refused)
	}
	if names := p.tools(goEnv{}); !slices.Contains(names, "/m/default.pgo") || !slices.Contains(names, p.profile.tool) {
		t.Errorf("the profile is not looked at: %v", names)
	}
	for name, text := range map[string]string{
		"two":           prepares + prepares + compiles,
		"another":       strings.Replace(prepares+compiles, "=$WORK/b009", "=$WORK/b008", 1),
		"another flag":  strings.Replace(prepares, "-i ", "-x 1 -i ", 1) + compiles,
		"not in a work": strings.Replace(prepares, "$WORK/b009/", "/m/", 1) + compiles,
	} {
		if _, refused := planOf(t, text); refused == nil || refused.Kind != Profile {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestPatternBelowADirectory(t *testing.T) {
	p, refused := planOf(t, replaced(t, dry, `"static": [`, `"static/[a-z]*/*.js": [`))
	if refused != nil {
		t.Fatal(refused)
	}
	if e := p.byPath["m/p"].embed; !slices.Equal(e.whole, []string{"/m/p/static"}) {
		t.Errorf("got %+v", e)
	}
}

// Only in the project's own packages do files come.
func TestPatternOutside(t *testing.T) {
	pattern := replaced(t, dry, `"tmpl/*.html": [`, `"*/a.html": [`)
	if _, refused := planOf(t, strings.ReplaceAll(pattern, " ./p/a.go", " /mod/p@v1.0.0/a.go")); refused != nil {
		t.Error(refused)
	}
}

func TestRefusedDryRuns(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		kind     Kind
	}{
		"flag of the compiler":    {"-complete", "-cpuprofile x", Flag},
		"flag of the linker":      {"-w -X", "-linkmode=external -X", Flag},
		"mode":                    {"-buildmode=exe", "-buildmode=c-shared", Flag},
		"another linker":          {"GOROOT='/go' /go/pkg/tool/linux_amd64/link", "true", Unknown},
		"no compiler":             {"/compile ", "/gccgo ", Unknown},
		"cgo of the app":          {"-importpath net", "-importpath m/p", ExternalLink},
		"object beside a package": {"pack r $WORK/b003/_pkg_.a $WORK/b003/a.o", "pack r $WORK/b002/_pkg_.a /m/p/a.syso", ExternalLink},
		"files":                   {"packagefile m/app=", "packagefile command-line-arguments=", Files},
		"pattern":                 {`"tmpl/*.html": [`, `"*/a.html": [`, Pattern},
		"profile of nobody":       {"-complete", "-complete -pgoprofile=$WORK/b009/pgo.preprofile", Profile},
		"no importcfg":            {"echo '# import config' > $WORK/b002/importcfg # internal\n", "", Unknown},
		"open quote":              {`"./p/a b.go"`, `"./p/a b.go`, Unknown},
		"not linked":              {"packagefile m/p=$WORK/b002/_pkg_.a\npackagefile net=$WORK/b003/_pkg_.a\nmodinfo", "packagefile net=$WORK/b003/_pkg_.a\nmodinfo", Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			_, refused := planOf(t, replaced(t, dry, test.from, test.to))
			if refused == nil || refused.Kind != test.kind {
				t.Errorf("got %v, want %s", refused, test.kind)
			}
		})
	}
}

func replaced(t *testing.T, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("there is no %q", from)
	}
	return strings.ReplaceAll(text, from, to)
}
