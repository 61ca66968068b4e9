package graph

import (
	"strings"
	"testing"
)

const header = `// Copyright

//go:build linux

// Package main is a program.
package main

// #cgo LDFLAGS: -lm
// #include <math.h>
// int f(void);
import "C"

import (
	"embed"
	"fmt"
)

//go:embed static
var fs embed.FS

func main() { fmt.Println(fs) }
`

func TestHeaderOfATestFile(t *testing.T) {
	of := func(src string) string { return Header("a_test.go", []byte(src)).String() }
	want := of("package a\n\nimport \"testing\"\n")
	for src, same := range map[string]bool{
		"package a\n\nimport \"log\"\n\nvar x = 1\n": true,
		"package a_test\n\nimport \"testing\"\n":     false,
		"package a\n\nimport \"testing\n":            false,
		"":                                           false,
	} {
		if got := of(src) == want; got != same {
			t.Errorf("%q: same: %v, want %v", src, got, same)
		}
	}
}

func TestHeader(t *testing.T) {
	tests := []struct {
		name, from, to string
		same           bool
	}{
		{"body", "fmt.Println(fs)", "fmt.Println(fs, 1) // more", true},
		{"body does not parse", "fmt.Println(fs) }", "fmt.Println((", true},
		{"comment", "// Copyright", "// Copyright someone", true},
		{"package comment", "is a program", "is another", true},
		{"C prototype", "int f(void)", "long f(void)", true},
		{"imports in another order", "\"embed\"\n\t\"fmt\"", "\"fmt\"\n\t\"embed\"", true},
		{"import renamed", "\"fmt\"", "f \"fmt\"", true},
		{"package clause", "package main", "package app", false},
		{"import", "\"fmt\"", "\"log\"", false},
		{"import removed", "\n\t\"fmt\"", "", false},
		{"build constraint", "go:build linux", "go:build darwin", false},
		{"build constraint removed", "//go:build linux", "", false},
		{"build constraint commented out", "//go:build linux", "/*\n//go:build linux\n*/", false},
		{"old build constraint", "// Copyright", "// +build x\n", false},
		{"embed", "go:embed static", "go:embed static other", false},
		{"embed removed", "//go:embed static", "", false},
		{"cgo", "-lm", "-lz", false},
		{"include", "<math.h>", "<time.h>", false},
		{"include of another kind", "<math.h>", "\"math.h\"", false},
		{"import does not parse", "\"fmt\"", "\"fmt", false},
	}
	want := Header("main.go", []byte(header))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := replaceOnce(t, header, tt.from, tt.to)
			if got := Header("main.go", []byte(edited)) == want; got != tt.same {
				t.Errorf("same: %v, want %v", got, tt.same)
			}
		})
	}
}

func TestHeaderOfAssembly(t *testing.T) {
	a := Header("x.s", []byte("// comment\n\n//go:build linux\n\nTEXT f(SB),4,$0\n"))
	if a != Header("x.s", []byte("//go:build linux\nTEXT g(SB),4,$0\n\tRET\n//go:build x\n")) {
		t.Error("a body changed the digest")
	}
	if a == Header("x.s", []byte("//go:build darwin\nTEXT f(SB),4,$0\n")) {
		t.Error("a build constraint did not change the digest")
	}
}

func TestHeaderOfC(t *testing.T) {
	a := Header("x.h", []byte("#pragma once\n#include \"a.h\"\nint f(void);\n"))
	if a != Header("x.h", []byte("#define X\n\n  # include \"a.h\"\nint g(void);\n")) {
		t.Error("a body changed the digest")
	}
	if a == Header("x.h", []byte("#pragma once\n#include \"b.h\"\nint f(void);\n")) {
		t.Error("an #include line did not change the digest")
	}
}

// FuzzHeader: never panics, is a function of the bytes, and does not see what is added after all
// declarations.
func FuzzHeader(f *testing.F) {
	f.Add([]byte(header))
	f.Add([]byte("package"))
	f.Add([]byte("package p; import \"C\""))
	f.Add([]byte("\xef\xbb\xbfpackage p //go:embed x"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, name := range []string{"a.go", "a.s"} {
			if Header(name, src) != Header(name, append([]byte(nil), src...)) {
				t.Error("two digests of one file")
			}
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	for b.Loop() {
		Header("main.go", []byte(header))
	}
}

func replaceOnce(t *testing.T, s, from, to string) string {
	t.Helper()
	if strings.Count(s, from) != 1 {
		t.Fatalf("%q is not once in the text", from)
	}
	return strings.Replace(s, from, to, 1)
}
