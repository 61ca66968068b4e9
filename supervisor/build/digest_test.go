package build

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"os"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestDigest: what a running program cannot observe does not change the digest,
// what it can does.
func TestDigest(t *testing.T) {
	const lib = "package lib\n\n// one\nfunc V() string { return \"a\" }\n"
	const app = "package main\n\nimport \"example.com/app/lib\"\n\n// one\nfunc main() { println(lib.V()) }\n"
	p := newProject(t, "go.mod", goMod, "lib/lib.go", lib, "main.go", app)
	first := p.build(p.request()).Digest
	if first.IsZero() {
		t.Fatal("no digest")
	}
	tests := []struct {
		name, file, text string
		same             bool
	}{
		{"comment in main", "main.go", "package main\n\nimport \"example.com/app/lib\"\n\n// two\nfunc main() { println(lib.V()) }\n", true},
		{"comment in a package", "lib/lib.go", "package lib\n\n// two\nfunc V() string { return \"a\" }\n", true},
		{"spaces", "lib/lib.go", "package lib\n\n// one\nfunc V()  string  { return \"a\"}\n", true},
		{"code in a package", "lib/lib.go", "package lib\n\n// one\nfunc V() string { return \"b\" }\n", false},
		{"code in main", "main.go", "package main\n\nimport \"example.com/app/lib\"\n\n// one\nfunc main() { println(lib.V(), 1) }\n", false},
		{"lines moved", "main.go", "package main\n\nimport \"example.com/app/lib\"\n\n// one\n// more\nfunc main() { println(lib.V()) }\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.write("lib/lib.go", lib, "main.go", app)
			p.write(tt.file, tt.text)
			if got := p.build(p.request()).Digest == first; got != tt.same {
				t.Errorf("same digest: %v, want %v", got, tt.same)
			}
		})
	}
	t.Run("touch", func(t *testing.T) {
		p.write("lib/lib.go", lib, "main.go", app)
		now := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(p.dir, "main.go"), now, now); err != nil {
			t.Fatal(err)
		}
		if p.build(p.request()).Digest != first {
			t.Error("another digest")
		}
	})
}

// TestDigestOfOtherLinks: the same where the build ID lies elsewhere in the file.
func TestDigestOfOtherLinks(t *testing.T) {
	tests := []struct {
		name  string
		env   []string
		flags []string
		split bool // into compiling and linking, on Linux
	}{
		{name: "pie", flags: []string{"-buildmode=pie"}, split: true},
		{name: "external link", flags: []string{"-ldflags=-linkmode=external"}},
		{name: "darwin", env: []string{"GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0"}},
		{name: "windows", env: []string{"GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.env != nil {
				testneed.Skip(t, "time", "compiles the standard library for another system")
			}
			p := newProject(t, "go.mod", goMod, "main.go", hello)
			p.env = append(p.env, tt.env...)
			first := p.build(p.request(tt.flags...))
			p.write("main.go", "package main\n\nvar v = \"none\"\n\n// two\nfunc main() { println(v) }\n")
			comment := p.build(p.request(tt.flags...))
			p.write("main.go", "package main\n\nvar v = \"done\"\n\n// two\nfunc main() { println(v) }\n")
			code := p.build(p.request(tt.flags...))
			if first.Digest != comment.Digest {
				t.Error("a comment changed the digest")
			}
			if first.Digest == code.Digest {
				t.Error("code did not change the digest")
			}
			a, _ := os.ReadFile(first.Out)
			b, _ := os.ReadFile(comment.Out)
			if string(a) == string(b) {
				t.Error("the build ID is not in the binary: nothing was tested")
			}
			if split := first.Link > 0 && first.Link < first.Took; split != tt.split && runtime.GOOS == "linux" {
				t.Errorf("linked in %v of %v", first.Link, first.Took)
			}
		})
	}
}

// FuzzDigestMasks: any file is hashed, also one that pretends to be a binary.
func FuzzDigestMasks(f *testing.F) {
	f.Add([]byte("\x7fELF"))
	f.Add([]byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"))
	f.Add([]byte("\xff Go build ID: \"x\"\n \xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Digest(name)
		again, err2 := Digest(name)
		if a != again || (err == nil) != (err2 == nil) {
			t.Error("the digest is not a function of the file")
		}
	})
}
