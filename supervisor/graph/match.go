package graph

import (
	"errors"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
)

// matcher returns the go command's rule for whether it compiles a file of a package directory: by
// its suffix and build constraints, and by the tags and the target of this build. A file that is
// not there is judged by its name alone. A file whose header does not parse counts: the build must
// say what is wrong with it.
func matcher(env environment, flags goflags.Flags) func(dir, name string) bool {
	ctxt := buildContext(env, flags)
	byName := reading(ctxt, "package p\n")
	return func(dir, name string) bool {
		if strings.HasSuffix(name, "_test.go") {
			return false
		}
		ok, err := ctxt.MatchFile(dir, name)
		if err != nil {
			ok, err = byName.MatchFile(dir, name)
			return ok && err == nil
		}
		return ok && (ctxt.CgoEnabled || !usesCgo(filepath.Join(dir, name)))
	}
}

// reading returns a context to which every file has that text.
func reading(ctxt build.Context, text string) *build.Context {
	ctxt.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return &ctxt
}

// buildContext is what the go command would use, except that the ToolTags of architectures other
// than amd64 are those of the toolchain that devguard was built with.
func buildContext(env environment, flags goflags.Flags) build.Context {
	ctxt := build.Default
	ctxt.GOOS, ctxt.GOARCH, ctxt.GOROOT = env["GOOS"], env["GOARCH"], env["GOROOT"]
	ctxt.CgoEnabled = env["CGO_ENABLED"] == "1"
	if c := flags.Value("compiler"); c != "" {
		ctxt.Compiler = c
	}
	ctxt.BuildTags = flags.Tags()
	for _, name := range []string{"race", "msan", "asan"} {
		if flags.On(name) {
			ctxt.BuildTags = append(ctxt.BuildTags, name)
		}
	}
	ctxt.ToolTags = append(ctxt.ToolTags[:len(ctxt.ToolTags):len(ctxt.ToolTags)], toolTags(env)...)
	if tags := releaseTags(env["GOVERSION"]); tags != nil {
		ctxt.ReleaseTags = tags
	}
	return ctxt
}

// toolTags are the experiments and the level of amd64 that were chosen.
func toolTags(env environment) []string {
	var tags []string
	for x := range strings.SplitSeq(env["GOEXPERIMENT"], ",") {
		if x != "" && !strings.HasPrefix(x, "no") {
			tags = append(tags, "goexperiment."+x)
		}
	}
	level, _ := strconv.Atoi(strings.TrimPrefix(env["GOAMD64"], "v"))
	for l := range level {
		tags = append(tags, "amd64.v"+strconv.Itoa(l+1))
	}
	return tags
}

// releaseTags are go1.1 to go1.N for the version go1.N.P, nil for a development version.
func releaseTags(version string) []string {
	minor, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return nil
	}
	if end := strings.IndexFunc(minor, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		minor = minor[:end]
	}
	n, err := strconv.Atoi(minor)
	if err != nil || n > 1000 {
		return nil
	}
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "go1." + strconv.Itoa(i+1)
	}
	return tags
}

// usesCgo reports whether a Go file imports "C", which without cgo excludes it.
func usesCgo(name string) bool {
	if !strings.HasSuffix(name, ".go") {
		return false
	}
	src, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	file, _ := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if file == nil {
		return false
	}
	for _, spec := range file.Imports {
		if spec.Path.Value == `"C"` {
			return true
		}
	}
	return false
}
