package build

import (
	"reflect"
	"strings"
	"testing"
)

// outputs are what go1.26 printed in /src/app (go.mod there, unless the name says
// otherwise).
var outputs = []struct {
	name, dir, text string
	want            []Diagnostic
}{
	{"type errors", "/src/app", `# example.com/app
./main.go:5:22: too many arguments in call to a.A
	have (number, number)
	want (int)
./main.go:5:30: declared and not used: x
./main.go:9:1: too many errors
`, []Diagnostic{
		{"main.go", 5, 22, "too many arguments in call to a.A\n\thave (number, number)\n\twant (int)", "example.com/app"},
		{"main.go", 5, 30, "declared and not used: x", "example.com/app"},
		{"main.go", 9, 1, "too many errors", "example.com/app"},
	}},
	{"from a subdirectory", "/src/app/cmd", `# example.com/app/lib
../lib/lib.go:3:1: syntax error: non-declaration statement outside function body
# example.com/app/cmd/app
app/main.go:3:1: undefined: x
`, []Diagnostic{
		{"../lib/lib.go", 3, 1, "syntax error: non-declaration statement outside function body", "example.com/app/lib"},
		{"app/main.go", 3, 1, "undefined: x", "example.com/app/cmd/app"},
	}},
	{"absolute names", "/src/app", `# example.com/lib
/src/lib/a.go:1:2: undefined: x
/root/go/pkg/mod/example.com/x@v1.0.0/x.go:1:2: undefined: y
`, []Diagnostic{
		{"../lib/a.go", 1, 2, "undefined: x", "example.com/lib"},
		{"/root/go/pkg/mod/example.com/x@v1.0.0/x.go", 1, 2, "undefined: y", "example.com/lib"},
	}},
	{"imports", "/src/app", `main.go:8:2: no required module provides package example.com/app/nope; to add it:
	go get example.com/app/nope
main.go:6:2: package foo/bar is not in std (/usr/local/go/src/foo/bar)
main.go:11:12: pattern static/*: no matching files found
main.go:2:8: missing go.sum entry for module providing package github.com/x/y (imported by example.com/app); to add:
	go get example.com/app
`, []Diagnostic{
		{"main.go", 8, 2, "no required module provides package example.com/app/nope; to add it:\n\tgo get example.com/app/nope", ""},
		{"main.go", 6, 2, "package foo/bar is not in std (/usr/local/go/src/foo/bar)", ""},
		{"main.go", 11, 12, "pattern static/*: no matching files found", ""},
		{"main.go", 2, 8, "missing go.sum entry for module providing package github.com/x/y (imported by example.com/app); to add:\n\tgo get example.com/app", ""},
	}},
	{"import cycle", "/src/app", `package example.com/app
	imports example.com/app/a from main.go
	imports example.com/app/b from a.go
	imports example.com/app/a from b.go: import cycle not allowed
`, []Diagnostic{{Msg: "package example.com/app\n\timports example.com/app/a from main.go\n\timports example.com/app/b from a.go\n" +
		"\timports example.com/app/a from b.go: import cycle not allowed"}}},
	{"broken go.mod", "/src/app/cmd", "go: errors parsing ../go.mod:\n../go.mod:3: unknown directive: foo\n", []Diagnostic{
		{Msg: "go: errors parsing ../go.mod:"}, {"../go.mod", 3, 0, "unknown directive: foo", ""}}},
	{"newer go", "/src/app", "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n",
		[]Diagnostic{{Msg: "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)"}}},
	{"no package", "/src/app", "stat /src/app/nope: directory not found\n", []Diagnostic{{Msg: "stat /src/app/nope: directory not found"}}},
	{"cgo", "/src/app", `# example.com/app
./main.go:2:11: fatal error: nope.h: No such file or directory
    2 | // #include <nope.h>
      |           ^~~~~~~~
compilation terminated.
`, []Diagnostic{{"main.go", 2, 11, "fatal error: nope.h: No such file or directory\n    2 | // #include <nope.h>\n" +
		"      |           ^~~~~~~~\ncompilation terminated.", "example.com/app"}}},
	{"assembler", "/src/app", "# example.com/app\n./x.s:2: unrecognized instruction \"BLAH\"\nasm: assembly of ./x.s failed\n",
		[]Diagnostic{{"x.s", 2, 0, "unrecognized instruction \"BLAH\"\nasm: assembly of ./x.s failed", "example.com/app"}}},
	{"linker", "/src/app", "# example.com/app\nmain.main: relocation target main.foo not defined\n",
		[]Diagnostic{{Msg: "main.main: relocation target main.foo not defined", Package: "example.com/app"}}},
	{"external linker", "/src/app", `# example.com/app
/usr/local/go/pkg/tool/linux_amd64/link: running gcc failed: exit status 1
/usr/bin/gcc -m64 -o $WORK/b001/exe/a.out -no-pie
/usr/bin/ld: /tmp/go-link-1/000001.o: in function ` + "`_cgo_f2aae6d72fe4_Cfunc_foo'" + `:
/tmp/go-build/main.cgo2.c:48: undefined reference to ` + "`foo'" + `
collect2: error: ld returned 1 exit status

`, []Diagnostic{{Msg: "/usr/local/go/pkg/tool/linux_amd64/link: running gcc failed: exit status 1\n/usr/bin/gcc -m64 -o $WORK/b001/exe/a.out -no-pie\n" +
		"/usr/bin/ld: /tmp/go-link-1/000001.o: in function `_cgo_f2aae6d72fe4_Cfunc_foo':\n" +
		"/tmp/go-build/main.cgo2.c:48: undefined reference to `foo'\ncollect2: error: ld returned 1 exit status", Package: "example.com/app"}}},
	{"twice", "/src/app", "a.go:1:2: x\na.go:1:2: x\n", []Diagnostic{{"a.go", 1, 2, "x", ""}}},
	{"no position", "/src/app", "go: example.com/x@v1: Get \"https://proxy.golang.org/x\": dial tcp 10.0.0.1:443: i/o timeout\n",
		[]Diagnostic{{Msg: "go: example.com/x@v1: Get \"https://proxy.golang.org/x\": dial tcp 10.0.0.1:443: i/o timeout"}}},
	{"CRLF", "/src/app", "# p\r\na.go:1:2: x\r\n", []Diagnostic{{"a.go", 1, 2, "x", "p"}}},
	{"nothing", "/src/app", "", nil},
}

func TestParse(t *testing.T) {
	for _, tt := range outputs {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse(tt.text, tt.dir); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// FuzzParse: no line is lost.
func FuzzParse(f *testing.F) {
	for _, tt := range outputs {
		f.Add(tt.text)
	}
	f.Add(":1:2: x\n a\n\x00:3: y")
	f.Fuzz(func(t *testing.T, text string) {
		var all strings.Builder
		for _, d := range Parse(text, "/src/app") {
			all.WriteString(d.Package + "\n" + d.Msg + "\n")
		}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(line, "# ") {
				continue // the package of what follows
			}
			if m := position.FindStringSubmatch(line); m != nil {
				line = m[4] // the rest is in File, Line and Col
			}
			if strings.TrimSpace(line) != "" && !strings.Contains(all.String(), line) {
				t.Errorf("lost %q", line)
			}
		}
	})
}
