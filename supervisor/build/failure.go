package build

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// explain turns the end of a go command into one sentence. Of a tree that does
// not compile it is the first message and how many there are. Of a machine that
// cannot build it has a hint: the compiler's own message does not say what to do.
func explain(err error, r Request, res Result) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errArchive):
		return fmt.Errorf("%s cannot be run: %w", r.pkg(), err)
	case !errors.As(err, &exit):
		if gone := checkDir(r.Dir); gone != nil {
			return gone // the system blames the program
		}
		return err
	case says(res, "getwd: no such file or directory"): // it went while the go command began
		return logline.WithHint(fmt.Errorf("the directory to build in is gone: %s: %s", r.Dir, first(res)),
			"bring "+r.Dir+" back: it is built then")
	case says(res, "no space left on device"):
		return logline.WithHint(fmt.Errorf("the disk is full: %w", err),
			fmt.Sprintf("make room where the build writes: %s, %s, and the directory of `go env GOCACHE`, which `go clean -cache` empties", filepath.Dir(r.Out), r.Tmp))
	case unreadable(res) != "":
		// The go command (1.26) keeps this error in its cache until the file has another time.
		return logline.WithHint(fmt.Errorf("a source file cannot be read: %s: %w", first(res), err),
			"give yourself the right to read it: ls -l "+unreadable(res)+" shows whose it is; then, or `go build` goes on to say so: touch "+unreadable(res))
	case says(res, "read-only file system"), says(res, "permission denied"):
		return logline.WithHint(fmt.Errorf("the build may not write or read a file: %s: %w", first(res), err),
			"give yourself the right to it, or set GOCACHE and GOMODCACHE to directories of yours")
	case says(res, "error obtaining VCS status"):
		return logline.WithHint(fmt.Errorf("git does not say which commit this is, which -buildvcs is to write into the program: %s", first(res)),
			`write flags = ["-buildvcs=false"] under [build], which also wins over GOFLAGS; `+"`git status` says why git refuses")
	case says(res, "GOCACHE is not defined"), says(res, "module cache not found"):
		return logline.WithHint(fmt.Errorf("the go command has no place for its caches, because HOME is not set: %s", first(res)),
			fmt.Sprintf("start it with HOME, as in `HOME=%s devguard run`", home()))
	case len(res.Diagnostics) == 0:
		return fmt.Errorf("go build: %w", err)
	case len(res.Diagnostics) > 1:
		return fmt.Errorf("%s (and %d more)", first(res), len(res.Diagnostics)-1)
	}
	return errors.New(first(res))
}

// home is what HOME would be after a login.
func home() string {
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	return "DIR"
}

// says reports whether a message that is of no source file has text.
func says(res Result, text string) bool {
	return slices.ContainsFunc(res.Diagnostics, func(d Diagnostic) bool { return d.File == "" && strings.Contains(d.Msg, text) })
}

// openedSource is what the go command says of a source file that it may not open. Its caches have no
// files with these endings, but for the modules, which are sources too.
var openedSource = regexp.MustCompile(`^open (.+\.(?:go|s|S|c|cc|cpp|cxx|m|h|hh|hpp|hxx|f|F|swig|syso)): permission denied`)

// unreadable is the source file that the user may not read; "" if there is none.
func unreadable(res Result) string {
	for _, d := range res.Diagnostics {
		if m := openedSource.FindStringSubmatch(d.Msg); d.File == "" && m != nil {
			return m[1]
		}
	}
	return ""
}

// first is the first line of the first message; the first that has a file, if
// any: what precedes it is a headline.
func first(res Result) string {
	for _, d := range res.Diagnostics {
		if d.File != "" {
			return headline(d)
		}
	}
	if len(res.Diagnostics) == 0 {
		return "no message"
	}
	return headline(res.Diagnostics[0])
}

func headline(d Diagnostic) string {
	line, _, _ := strings.Cut(d.String(), "\n")
	return line
}
