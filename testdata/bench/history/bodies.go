package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sources are what a program is made of in its own module: of a Go file that is compiled, what is left
// of it without function bodies and comments; of any other file, its contents.
type sources struct {
	text     map[string]string
	skeleton map[string]string
}

// look reads the sources of a program.
func look(ctx context.Context, dir, program string, env []string) (sources, error) {
	packages, err := list(ctx, dir, program, env)
	if err != nil {
		return sources{}, err
	}
	s := sources{map[string]string{}, map[string]string{}}
	err = s.read(filepath.Join(dir, "go.mod"), false)
	for _, p := range packages {
		if !p.own() {
			continue
		}
		err = errors.Join(err, s.readAll(p.Dir, p.GoFiles, true))
		for _, names := range [][]string{p.CgoFiles, p.EmbedFiles, p.HFiles, p.SFiles, p.CFiles, p.SysoFiles} {
			err = errors.Join(err, s.readAll(p.Dir, names, false))
		}
	}
	return s, err
}

// listed is a package of a program.
type listed struct {
	ImportPath, Name, Dir                                            string
	Standard                                                         bool
	Module                                                           *struct{ Main bool }
	GoFiles, CgoFiles, EmbedFiles, HFiles, SFiles, CFiles, SysoFiles []string
}

// own reports whether the package is one that somebody would edit.
func (p listed) own() bool { return p.Module != nil && p.Module.Main }

// list returns all packages of a program.
func list(ctx context.Context, dir, program string, env []string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Name,Dir,Standard,Module,GoFiles,CgoFiles,EmbedFiles,HFiles,SFiles,CFiles,SysoFiles", program)
	cmd.Dir, cmd.Env = dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func (s sources) readAll(dir string, names []string, isGo bool) error {
	for _, name := range names {
		if err := s.read(filepath.Join(dir, name), isGo); err != nil {
			return err
		}
	}
	return nil
}

func (s sources) read(name string, isGo bool) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	s.text[name], s.skeleton[name] = string(text), string(text)
	if isGo {
		s.skeleton[name], err = skeleton(text)
	}
	return err
}

// skeleton is a file without the bodies of its functions, and without comments but those that are code.
func skeleton(text []byte) (string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//line ") {
				out.WriteString(c.Text + "\n")
			}
		}
	}
	out.WriteString(file.Name.Name + "\n")
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body, f.Doc = nil, nil
		}
		if err := printer.Fprint(&out, token.NewFileSet(), decl); err != nil { // without positions: lines may shift
			return "", err
		}
		out.WriteString("\n")
	}
	return out.String(), nil
}

// edit says what has become of a program's sources: nothing, function bodies (and comments) alone, or more.
func (s sources) edit(before sources) (changed, bodies bool) {
	if len(s.text) != len(before.text) {
		return true, false
	}
	bodies = true
	for name, text := range s.text {
		old, was := before.text[name]
		changed = changed || !was || old != text
		bodies = bodies && was && before.skeleton[name] == s.skeleton[name]
	}
	return changed, changed && bodies
}
