package config

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
)

// Resolve completes a loaded configuration: what is run (App.Package or
// App.Command) and, unless it was given, Name. It reads the project's
// directories but starts nothing. The error is an Errors.
func Resolve(c *Config) (*Config, error) {
	out := *c
	if len(c.App.Command) == 0 {
		pkg, err := ResolvePackage(c, "")
		if err != nil {
			return nil, err
		}
		out.App.BuildDir, out.App.Package = ownModule(c.App.BuildDir, pkg)
	}
	if out.Name == "" {
		out.Name = defaultName(&out)
	}
	return &out, nil
}

// ResolvePackage decides which package is run: arg, else the configuration's,
// else "." if it is a program, else the only ./cmd/* that is one. arg is
// relative to c.Work, the configuration's package to c.App.BuildDir, and so is
// the answer.
func ResolvePackage(c *Config, arg string) (string, error) {
	ctx := buildContext(c.Build.Flags)
	base := c.Work
	if arg == "" {
		arg, base = c.App.Package, c.App.BuildDir
	}
	if arg != "" {
		return namedPackage(ctx, base, arg)
	}
	if isMain(ctx, base) {
		return ".", nil
	}
	switch found := mainsUnder(ctx, base, "cmd", 1); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", noPackage(ctx, base)
	default:
		return "", Errors{{Key: "PACKAGE", Msg: "several programs could be run: " + strings.Join(found, ", "),
			Next: "name one: devguard run " + found[0]}}
	}
}

// namedPackage checks a package that a person named. Import paths and files are
// left to the go command; "cmd/app" is taken for ./cmd/app when that is what it
// can only mean.
func namedPackage(ctx *build.Context, base, arg string) (string, error) {
	if msg, hint := badPackage(arg); msg != "" {
		return "", Errors{{Key: "PACKAGE", Msg: msg, Next: hint}}
	}
	if strings.HasSuffix(arg, ".go") {
		return arg, nil
	}
	if !isLocal(arg) {
		if !isDir(filepath.Join(base, arg)) || isImportPath(base, arg) {
			return arg, nil
		}
		arg = "./" + filepath.ToSlash(arg)
	}
	dir := localDir(base, arg)
	if !isDir(dir) {
		e := &Error{Key: "PACKAGE", Msg: fmt.Sprintf("package %s: no such directory", arg)}
		e.offer(arg, mainsUnder(ctx, base, ".", searchDepth))
		return "", Errors{e}
	}
	// A package without a Go file for this system, or half saved, is left to
	// the go command, which says more about it.
	if p, _ := ctx.ImportDir(dir, 0); p != nil && p.Name != "" && p.Name != "main" {
		e := &Error{Key: "PACKAGE", Msg: fmt.Sprintf("package %s is a library (package %s), not a program", arg, p.Name)}
		e.offer(arg, mainsUnder(ctx, base, ".", searchDepth))
		return "", Errors{e}
	}
	return arg, nil
}

// offer names the programs there are, the nearest first choice.
func (e *Error) offer(arg string, found []string) {
	if e.Nearest = Nearest(arg, found); e.Nearest == "" && len(found) > 0 {
		e.Next = "the programs here are " + strings.Join(found, ", ")
	}
}

// noPackage says why there is nothing to run, and lists programs further down.
func noPackage(ctx *build.Context, base string) error {
	e := &Error{Key: "PACKAGE", Msg: "nothing to run: neither . nor ./cmd/* is a program"}
	found := mainsUnder(ctx, base, ".", searchDepth)
	switch {
	case len(found) > 0:
		e.Next = "name one of " + strings.Join(found, ", ")
	case parentWith(base, "go.mod") == "" && parentWith(base, "go.work") == "":
		e.Next = "there is no go.mod here or above: start it with `go mod init`, or run any command with devguard run -- COMMAND"
	default:
		e.Next = "name a package, like devguard run ./cmd/app, or run any command with devguard run -- COMMAND"
	}
	return Errors{e}
}

// NoPackage reports whether err says that it cannot be told which package to run.
func NoPackage(err error) bool {
	var all Errors
	return errors.As(err, &all) && len(all) == 1 && all[0].Key == "PACKAGE"
}

const (
	searchDepth = 4    // directories below the base in which programs are looked for
	searchDirs  = 2000 // and how many of them at most; both guesses, for a message only
)

// mainsUnder lists the programs up to depth directories below base/sub as
// "./..." paths, in order of their names.
func mainsUnder(ctx *build.Context, base, sub string, depth int) []string {
	var found []string
	left := searchDirs
	var visit func(rel string, depth int)
	visit = func(rel string, depth int) {
		entries, err := os.ReadDir(filepath.Join(base, rel))
		if err != nil {
			return // a directory that cannot be read holds nothing to offer
		}
		for _, entry := range entries {
			inner := path.Join(rel, entry.Name())
			if !entry.IsDir() || hidden(entry.Name()) || left == 0 {
				continue
			}
			left--
			if isMain(ctx, filepath.Join(base, inner)) {
				found = append(found, "./"+inner)
			}
			if depth > 1 {
				visit(inner, depth-1)
			}
		}
	}
	visit(sub, depth)
	return found
}

// hidden reports directories that the go command ignores, or that hold other
// people's code.
func hidden(name string) bool {
	return name == "vendor" || name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_'
}

// buildContext is the go command's view of files: GOOS, GOARCH and the tags of
// GOFLAGS and, over them, of flags.
func buildContext(flags []string) *build.Context {
	ctx := build.Default
	ctx.BuildTags = goflags.Effective(os.Getenv("GOFLAGS"), flags).Tags()
	return &ctx
}

// isMain reports whether dir holds a program. A syntax error in one of its
// files does not hide it; tests alone do not make one.
func isMain(ctx *build.Context, dir string) bool {
	p, _ := ctx.ImportDir(dir, 0)
	return p != nil && p.Name == "main" && len(p.GoFiles)+len(p.CgoFiles) > 0
}

// isLocal reports a package named by its directory.
func isLocal(pkg string) bool {
	return build.IsLocalImport(filepath.ToSlash(pkg)) || filepath.IsAbs(pkg)
}

func localDir(base, pkg string) string {
	if filepath.IsAbs(pkg) {
		return filepath.Clean(pkg)
	}
	return filepath.Join(base, filepath.FromSlash(pkg))
}

// isImportPath reports whether pkg lies in the module of base.
func isImportPath(base, pkg string) bool {
	module := modulePath(parentWith(base, "go.mod"))
	return module != "" && (pkg == module || strings.HasPrefix(pkg, module+"/"))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// modulePath reads the module line of dir/go.mod; "" when there is none.
func modulePath(dir string) string {
	if dir == "" {
		return ""
	}
	data, err := readBounded(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module"); ok && strings.TrimLeft(rest, " \t") != rest {
			rest, _, _ = strings.Cut(rest, "//")
			return strings.Trim(strings.TrimSpace(rest), "\"`")
		}
	}
	return ""
}

// defaultName is the package's base name, as a folder can be called.
func defaultName(c *Config) string {
	pkg := c.App.Package
	switch {
	case len(c.App.Command) > 0:
		return folderName(filepath.Base(c.App.Command[0]))
	case isLocal(pkg) || strings.HasSuffix(pkg, ".go"):
		dir := localDir(c.App.BuildDir, pkg)
		if strings.HasSuffix(pkg, ".go") {
			dir = filepath.Dir(dir)
		}
		if module := modulePath(dir); module != "" {
			return folderName(importBase(module))
		}
		return folderName(filepath.Base(dir))
	}
	return folderName(importBase(pkg))
}

// importBase is the last element of an import path that is not a major
// version, as the go command names binaries.
func importBase(pkg string) string {
	dir, base := path.Split(pkg)
	if digits, ok := strings.CutPrefix(base, "v"); ok && dir != "" && digits != "" && strings.Trim(digits, "0123456789") == "" {
		base = path.Base(dir)
	}
	return base
}

// folderName makes s a name that badName accepts.
func folderName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(nameLetters, r) {
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, ".-")
	s = strings.TrimRight(s[:min(len(s), 64)], "-")
	switch {
	case s == "":
		return "app"
	case reservedName(s):
		return s + "-app"
	}
	return s
}
