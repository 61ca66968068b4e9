package build

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/paths"
)

// Cgo is a package that uses cgo and reads files that the go command does not look at.
type Cgo struct {
	Package   string // import path
	Dir       string // absolute
	Main      bool   // the package to build
	Workspace bool   // of a main module
	Files     []string
}

// cgoFlags are flags with which the go command compiles a package again when one of its files has
// changed. Its cache does not know included files outside of the package's directory, but it knows
// the flags of the compiler. Of those, -env adds a variable to the compiler's environment, and
// nobody reads this one. Libraries need no flag: each program is linked anew, because its file has a
// new name.
func cgoFlags(all goflags.Flags, r Request) []string {
	if c := all.Value("compiler"); c != "" && c != "gc" {
		return nil
	}
	var args []string
	now := time.Now()
	for _, c := range r.Cgo {
		if digest := r.Contents.fingerprint(c.Files, now); digest != "" {
			own := strings.TrimSpace(c.gcflags(all, r.Dir) + " -env=DEVGUARD_CGO=" + digest)
			args = append(args, "-gcflags="+c.Package+"="+own)
		}
	}
	return args
}

// gcflags are the user's flags of the compiler for the package: of several that match, the go
// command takes the last alone, so ours have to repeat them.
func (c Cgo) gcflags(all goflags.Flags, dir string) string {
	for _, f := range slices.Backward(all) {
		if f.Name != "gcflags" {
			continue
		}
		value := strings.TrimSpace(f.Value)
		if value == "" || value[0] == '-' { // no pattern
			if c.Main {
				return value
			}
			continue
		}
		if pattern, flags, _ := strings.Cut(value, "="); c.matches(strings.TrimSpace(pattern), dir) {
			return strings.TrimSpace(flags)
		}
	}
	return ""
}

// matches reports whether a pattern before the flags means the package; relative ones are relative
// to dir. (MatchPackage in cmd/go/internal/load)
func (c Cgo) matches(pattern, dir string) bool {
	switch {
	case pattern == "." || pattern == ".." || strings.HasPrefix(pattern, "./") || strings.HasPrefix(pattern, "../"):
		base, rest := pattern, ""
		if before, _, ok := strings.Cut(pattern, "..."); ok {
			j := strings.LastIndex(before, "/")
			base, rest = pattern[:j], pattern[j+1:]
		}
		base = filepath.Join(dir, filepath.FromSlash(base))
		if rest == "" {
			return c.Dir == base
		}
		rel, ok := paths.Rel(base, c.Dir)
		return ok && matchWildcard(rest, filepath.ToSlash(rel))
	case pattern == "all":
		return true
	case pattern == "std", pattern == "cmd", pattern == "tool":
		return false
	case pattern == "work":
		return c.Workspace
	}
	return matchWildcard(pattern, c.Package)
}

// matchWildcard matches a name with a pattern in which ... is any string, and /... at the end also
// nothing. It is no vendored package that a pattern without that name means.
// (MatchPattern in cmd/internal/pkgpattern)
func matchWildcard(pattern, name string) bool {
	if strings.Contains(pattern, "...") && !vendored(pattern) && vendored(name) {
		return false
	}
	expr := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\.\.\.`, `.*`)
	if rest, ok := strings.CutSuffix(expr, `/.*`); ok {
		expr = rest + `(/.*)?`
	}
	return regexp.MustCompile(`^` + expr + `$`).MatchString(name)
}

func vendored(name string) bool { return slices.Contains(strings.Split(name, "/"), "vendor") }

// Contents remembers digests of files, so that a build reads only those that have changed. One Run
// at a time may use it.
type Contents map[string]content

type content struct {
	info fs.FileInfo
	sum  change.Digest
}

// still reports whether a file is the one that was read.
func (c content) still(now fs.FileInfo) bool {
	return c.info.Size() == now.Size() && c.info.ModTime().Equal(now.ModTime()) && os.SameFile(c.info, now)
}

// settled is how long ago a file must have been written for its time to tell it from what is
// written next: file systems that keep whole seconds (FAT, some NFS) round to two.
const settled = 2500 * time.Millisecond

// of is the digest of a file; zero for one that is not there.
func (c Contents) of(name string, now time.Time) change.Digest {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return change.Digest{}
	}
	if known, ok := c[name]; ok && known.still(info) {
		return known.sum
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return change.DigestOf([]byte("unreadable: " + err.Error()))
	}
	sum := change.DigestOf(src)
	delete(c, name)
	if c != nil && now.Sub(info.ModTime()) > settled {
		c[name] = content{info, sum}
	}
	return sum
}

// fingerprint is the digest of the names and contents of files; "" when none is there.
func (c Contents) fingerprint(files []string, now time.Time) string {
	h, none := sha256.New(), true
	for _, name := range files {
		sum := c.of(name, now)
		none = none && sum.IsZero()
		fmt.Fprintf(h, "%q %x\n", name, sum)
	}
	if none {
		return ""
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}
