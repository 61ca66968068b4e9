package hangup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestServerOf: a server counts when the program makes one, not because of an import, or of methods that
// reflection keeps; also where the call is inlined.
func TestServerOf(t *testing.T) {
	const reflects = "template.Must(template.New(\"\").Parse(\"{{.}}\")).Execute(os.Stdout, 1)\n"
	const unencrypted = "s := http.Server{Protocols: new(http.Protocols)}\ns.Protocols.SetUnencryptedHTTP2(true)\ns.ListenAndServe()\n"
	files := map[string]string{
		"go.mod": "module example.com/app\n\ngo 1.25\n\nrequire (\n\tgoogle.golang.org/grpc v1.0.0\n\tgolang.org/x/net v1.0.0\n)\n\n" +
			"replace (\n\tgoogle.golang.org/grpc => ./grpc\n\tgolang.org/x/net => ./net\n)\n",
		"grpc/go.mod":    "module google.golang.org/grpc\n\ngo 1.25\n",
		"grpc/grpc.go":   "package grpc\n\ntype Server struct{ n int }\n\n//go:noinline\nfunc NewServer() *Server { return new(Server) }\n\nfunc NewClient() any { return new(Server) }\n",
		"net/go.mod":     "module golang.org/x/net\n\ngo 1.25\n",
		"net/http2/h.go": "package http2\n\ntype Server struct{ n int }\n\n//go:noinline\nfunc (s *Server) ServeConn() { s.n++ }\n",
	}
	programs := map[string]struct{ imports, main, want string }{
		"grpc-client":   {`"google.golang.org/grpc"; "os"; "text/template"`, "println(grpc.NewClient())\n" + reflects, ""},
		"grpc-server":   {`"google.golang.org/grpc"`, "println(grpc.NewServer())\n", "google.golang.org/grpc"},
		"h2c":           {`"golang.org/x/net/http2"`, "new(http2.Server).ServeConn()\n", "golang.org/x/net/http2"},
		"plain":         {`"net/http"`, "http.ListenAndServe(\"\", nil)\n", ""},
		"both":          {`"net/http"`, unencrypted, "SetUnencryptedHTTP2 of package net/http"},
		"plain-reflect": {`"net/http"; "os"; "text/template"`, "http.ListenAndServe(\"\", nil)\n" + reflects, overTLS},
		"both-reflect":  {`"net/http"; "os"; "text/template"`, unencrypted + reflects, "SetUnencryptedHTTP2 of package net/http"},
	}
	for name, p := range programs {
		files[name+"/main.go"] = fmt.Sprintf("package main\n\nimport (%s)\n\nfunc main() {\n%s}\n", p.imports, p.main)
	}
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", "bin/", "./...")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, p := range programs {
		if got := serverOf(filepath.Join(dir, "bin", name)); got != p.want {
			t.Errorf("%s: %q, want %q", name, got, p.want)
		}
	}
	if got := serverOf("/bin/sh"); got != "" {
		t.Errorf("no program of Go: %q", got)
	}
}

func TestNameAt(t *testing.T) {
	for name, want := range map[string]int{"a": 0, "b.c": 2, "c": -1, "b": -1, "d": 6, "": -1} {
		if got := nameAt([]byte("a\x00b.c\x00d\x00"), name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
