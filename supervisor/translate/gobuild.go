package translate

import (
	"fmt"
	"path"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/paths"
)

// goBuild is a command line of `go build` or `go run`.
type goBuild struct {
	pkg    string   // as devguard.toml names it
	flags  []string // for build.flags
	output string   // of -o
	args   []string // of the program, for go run
	notes  []string // flags that are left out, and why
}

// ofGo reads `go build ...` or `go run ...`. why is what keeps devguard from building that.
func (d *draft) ofGo(c command) (b goBuild, why string) {
	words, run := c.words[2:], c.words[1] == "run"
	dir := ""
	words = b.readFlags(words, &dir)
	var named []string
	named, b.args = splitPackages(words)
	if !run && len(b.args) > 0 {
		return b, "several packages are built"
	}
	if b.pkg, why = d.packageOf(named); why != "" {
		return b, why
	}
	if dir != "" && dir != "." && !b.isRelative() {
		return b, "-C and an import path"
	}
	b.moved(dir)
	return b, ""
}

// isRelative reports whether the package is a directory relative to the one that the command runs in;
// else it is an import path or absolute.
func (b *goBuild) isRelative() bool { return strings.HasPrefix(b.pkg, ".") }

// moved puts a relative package below a directory that the command is run in; "" and "." are where
// devguard.toml is.
func (b *goBuild) moved(dir string) {
	if dir != "" && dir != "." && b.isRelative() {
		b.pkg = local(path.Join(slashes(dir), b.pkg))
	}
}

// readFlags takes the flags that begin words, and returns what follows them.
func (b *goBuild) readFlags(words []string, dir *string) (rest []string) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") && words[0] != "-" {
		parsed := goflags.Parse(words[:min(2, len(words))])
		if len(parsed) == 0 {
			words = words[1:]
			continue
		}
		flag := parsed[0]
		words = words[len(flag.Words):]
		switch name := flag.Name; {
		case name == "o":
			b.output = flag.Value
		case name == "C":
			*dir = flag.Value
		case name == "v" || name == "x" || name == "work" || name == "i" || name == "a" || name == "n" || name == "json":
			b.notes = append(b.notes, fmt.Sprintf("-%s changes nothing of the program", name))
		case dynamic(flag.Words):
			b.notes = append(b.notes, fmt.Sprintf("-%s has a value that a shell makes; with another value in each build every save would restart the app", name))
		case len(goflags.Check(flag.Words)) > 0:
			b.notes = append(b.notes, fmt.Sprintf("-%s: %s", name, goflags.Check(flag.Words)[0]))
		default:
			b.flags = append(b.flags, flag.Words...)
		}
	}
	return words
}

// buildVariables notes the variables that are set for a build.
func (d *draft) buildVariables(env []pair, line int, key string) {
	for _, v := range env {
		d.unsupported(line, key, fmt.Sprintf("%s for the build: start devguard with it, `%[1]s devguard run`, or write it with go env -w", variableWord(v)))
	}
}

// variableWord names a variable with its value, if that is a setting of the go command: others may
// be secrets.
func variableWord(v pair) string {
	if strings.HasPrefix(v.name, "GO") || strings.HasPrefix(v.name, "CGO_") {
		return v.name + "=" + ShellWord(v.value)
	}
	return v.name + "=..."
}

func dynamic(words []string) bool {
	return strings.Contains(strings.Join(words, " "), "$") || strings.Contains(strings.Join(words, " "), "`")
}

// splitPackages tells packages from the arguments of the program: Go files all belong to the
// package, else one word does.
func splitPackages(words []string) (named, args []string) {
	n := 0
	for n < len(words) && strings.HasSuffix(words[n], ".go") {
		n++
	}
	if n == 0 && len(words) > 0 {
		n = 1
	}
	return words[:n], words[n:]
}

// packageOf is the package that the words of a go command name.
func (d *draft) packageOf(named []string) (pkg, why string) {
	if len(named) == 0 {
		return ".", ""
	}
	first := slashes(named[0])
	switch {
	case strings.HasSuffix(first, "*.go"):
		return local(path.Dir(first)), ""
	case strings.HasSuffix(first, ".go"):
		return d.packageOfFiles(named)
	case strings.ContainsAny(first, "*?[$`\x00") || first == "" || strings.HasPrefix(first, "-"):
		return "", fmt.Sprintf("the package %q", named[0])
	}
	if pattern, ok := strings.CutSuffix(first, "/..."); ok {
		if pattern == "." {
			return "", "./... is all packages"
		}
		first = pattern
	}
	if path.IsAbs(first) || strings.HasPrefix(first, ".") {
		return local(first), ""
	}
	return strings.TrimSuffix(first, "/"), "" // an import path, or a directory: config tells them apart
}

func (d *draft) packageOfFiles(files []string) (pkg, why string) {
	for i, file := range files {
		files[i] = slashes(file)
		if strings.ContainsAny(file, "*?[$`\x00") {
			return "", fmt.Sprintf("the files %q", file)
		}
	}
	if d.facts.Package != nil {
		if pkg, ok := d.facts.Package(files); ok {
			return local(pkg), ""
		}
	}
	if len(files) == 1 && d.facts.Package != nil {
		return local(files[0]), "" // a part of its package, built as such
	}
	return local(path.Dir(files[0])), ""
}

// local names a directory or file as the go command wants it.
func local(dir string) string {
	dir = path.Clean(slashes(dir))
	if dir == "." || path.IsAbs(dir) || paths.Climbs(dir) {
		return dir
	}
	return "./" + dir
}
