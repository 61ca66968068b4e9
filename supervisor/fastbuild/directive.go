package fastbuild

import (
	"go/scanner"
	"go/token"
	"strings"
)

// unread are the directives that the go command does not read when it builds. It reads //go:build, +build,
// //go:debug, //go:embed and //go:binary-only-package (readGoInfo, shouldBuild and parseFileHeader in
// go/build, and their copies in cmd/go/internal/modindex; defaultGODEBUG in cmd/go/internal/load;
// checkDirectives in cmd/go/internal/work); cgo reads //export and //go:cgo_ldflag. These are for the
// compiler, which has all of what it reads from the source (pragmaFlag in cmd/compile/internal/noder;
// it reads //line comments in cmd/compile/internal/syntax), or for go generate and go fix.
//
// //go:linkname is not among them: it reaches into other packages. Names that we do not know are not,
// either: a later go command may read them.
var unread = map[string]bool{
	"go:noinline": true, "go:nosplit": true, "go:norace": true, "go:noescape": true, "go:nocheckptr": true,
	"go:uintptrescapes": true, "go:uintptrkeepalive": true, "go:nointerface": true, "go:registerparams": true,
	"go:generate": true, "go:fix": true,
}

// directives are the comments that the go command may take for code, and the package clause, before or
// after which they are; ok is false when the file cannot be split into tokens.
func directives(src []byte) (all []string, ok bool) {
	fset := token.NewFileSet()
	var s scanner.Scanner
	ok = true
	s.Init(fset.AddFile("", fset.Base(), len(src)), src, func(token.Position, string) { ok = false }, scanner.ScanComments)
	for {
		_, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			return all, ok
		case tok == token.PACKAGE:
			all = append(all, text)
		case tok == token.COMMENT && isRead(text):
			all = append(all, strings.TrimSpace(text))
		}
	}
}

// isRead reports whether a comment is a directive of a kind that the go command reads, or that we do not
// know. Those of other tools, as //nolint:errcheck, are for these alone.
func isRead(comment string) bool {
	text, line := strings.CutPrefix(comment, "//")
	if !line {
		return false // of these there is only /*line
	}
	if strings.HasPrefix(strings.TrimSpace(text), "+build") {
		return true
	}
	name := text
	if i := strings.IndexAny(text, " \t\r"); i >= 0 {
		name = text[:i]
	}
	return name == "export" || name == "extern" || strings.HasPrefix(name, "go:") && !unread[name]
}

// headerOf is what is before a package clause, as far as it decides which build constraints count: one of
// the old form only above a blank line, and none below a comment of the form /* */, or in one
// (parseFileHeader in go/build). Nothing of a header without constraints counts.
func headerOf(text string) []string {
	var all []string
	constrained := false
	last := "none"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		constraint := strings.Contains(line, "+build") || strings.HasPrefix(line, "//go:b")
		constrained = constrained || constraint
		plain := strings.HasPrefix(line, "//") && !constraint && !strings.Contains(line, "*/")
		if plain {
			line = "//"
		}
		if (line == "" || plain) && line == last {
			continue
		}
		all, last = append(all, line), line
	}
	if !constrained {
		return nil
	}
	return all
}
