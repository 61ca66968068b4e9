package build

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/paths"
)

// Sources are what a package is built from that somebody may edit meanwhile.
type Sources struct {
	Packages []Package
	Files    iter.Seq[string] // absolute, in the directories of the packages or below; all were there when they were listed; nil is none
}

// Package is one of those that a build compiles.
type Package struct {
	Path string // import path
	Dir  string // absolute, as the go command names it
}

// The go command hashes the files of a package, and the compiler reads them some milliseconds later,
// on a busy machine hundreds. What is written in between is compiled, and kept in the cache under the
// hash of what was there before. When the files go back to that (an undo, git stash pop), the cache
// serves the wrong object, to devguard and to each go command of the user, until it is cleaned.
// So what this build has compiled of files that were written while it ran is taken out of the cache.

// forgetMixed takes out of the cache what was compiled of files that were written since the build
// began. The build must have ended, and its work directory be there.
func forgetMixed(r Request, since time.Time) error {
	objects := compiled(r.Tmp)
	if len(objects) == 0 {
		return nil
	}
	written := r.written(since)
	if len(written) == 0 {
		return nil
	}
	var actions []string
	for _, name := range objects {
		if action := actionOf(name, written); action != "" {
			actions = append(actions, action)
		}
	}
	if len(actions) == 0 {
		return nil
	}
	cache, err := goEnv(context.Background(), r.Dir, r.Env, "GOCACHE") // the build's own context may have ended
	for _, action := range actions {
		err = errors.Join(err, forget(cache, action))
	}
	if err != nil {
		return fmt.Errorf("take what was compiled of files that changed meanwhile out of the build cache: %w", err)
	}
	return nil
}

// compiled returns the objects that are in work directories of the go command. Of what came from its
// cache there are none.
func compiled(tmp string) []string {
	names, _ := fs.Glob(os.DirFS(tmp), "go-build*/b*/_pkg_.a") // fails for a bad pattern alone
	for i, name := range names {
		names[i] = filepath.Join(tmp, filepath.FromSlash(name))
	}
	return names
}

// written returns the packages of which a file was written since the build began, or is gone. A file
// that is written in the first tick of the file system's clock (10 ms at most) may seem older; no go
// command has come to hashing by then.
func (r Request) written(since time.Time) []Package {
	found := map[string]Package{}
	byDir := map[string]Package{}
	for _, p := range r.Sources.Packages {
		byDir[p.Dir] = p
		if hasNew(p.Dir, since) {
			found[p.Dir] = p
		}
	}
	for name := range r.Sources.files() {
		if !writtenOrGone(name, since) {
			continue
		}
		for dir := range paths.Up(filepath.Dir(name)) {
			if p, ok := byDir[dir]; ok {
				found[dir] = p
				break
			}
		}
	}
	for _, c := range r.Cgo { // the files are elsewhere, so that no directory tells whose they are
		if slices.ContainsFunc(c.Files, func(name string) bool { return writtenSince(name, since) }) {
			found[c.Dir] = Package{Path: c.Package, Dir: c.Dir}
		}
	}
	return slices.Collect(maps.Values(found))
}

func (s Sources) files() iter.Seq[string] {
	if s.Files == nil {
		return func(func(string) bool) {}
	}
	return s.Files
}

// hasNew reports whether a Go file in the directory was written since: one may have come after the
// packages were listed.
func hasNew(dir string, since time.Time) bool {
	entries, _ := os.ReadDir(dir) // what cannot be read was not compiled
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		name := e.Name()
		return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && writtenSince(filepath.Join(dir, name), since)
	})
}

func writtenSince(name string, since time.Time) bool {
	info, err := os.Stat(name)
	return err == nil && newer(info, since)
}

func writtenOrGone(name string, since time.Time) bool {
	info, err := os.Stat(name)
	return err == nil && newer(info, since) || errors.Is(err, fs.ErrNotExist)
}

func newer(info fs.FileInfo, since time.Time) bool {
	at := changed(info)
	if at.Nanosecond() == 0 {
		at = at.Add(settled) // the file system keeps whole seconds
	}
	return at.After(since)
}

// buildID is at the beginning of an object: the hash of what it is made of, then that of its contents.
var buildID = regexp.MustCompile(`\nbuild id "([\w-]{20})/`)

// actionOf returns the hash under which the cache has an object, 15 bytes of it in base64; "" if the
// object is of none of the packages. Its line tables name its files, by their directory or, with
// -trimpath, by the import path. That of code inlined from elsewhere they do, too: such a package is
// compiled once more for nothing.
func actionOf(object string, of []Package) string {
	b, err := os.ReadFile(object)
	if err != nil {
		return ""
	}
	id := buildID.FindSubmatch(b[:min(len(b), 4<<10)])
	if id == nil || !slices.ContainsFunc(of, func(p Package) bool { return p.isIn(b) }) {
		return ""
	}
	return string(id[1])
}

func (p Package) isIn(object []byte) bool {
	return namesGoFile(object, p.Dir+string(filepath.Separator)) || namesGoFile(object, p.Path+"/")
}

// namesGoFile reports whether a Go file right in a directory is named, not below it.
func namesGoFile(object []byte, dir string) bool {
	for {
		_, after, ok := bytes.Cut(object, []byte(dir))
		if !ok {
			return false
		}
		name, _, ok := bytes.Cut(after[:min(len(after), maxName)], []byte(".go"))
		if ok && !bytes.ContainsAny(name, `/\`) {
			return true
		}
		object = after
	}
}

// maxName is the longest name of a file, on all file systems in use.
const maxName = 255

// forget removes the entry of an action. The go command removes entries, too, when they are old.
// (cmd/go/internal/cache, DiskCache.fileName)
func forget(cache, action string) error {
	sum, err := base64.RawURLEncoding.DecodeString(action)
	if err != nil || cache == "" {
		return err
	}
	prefix := hex.EncodeToString(sum)
	names, err := fs.Glob(os.DirFS(cache), prefix[:2]+"/"+prefix+"*-a")
	for _, name := range names {
		if e := os.Remove(filepath.Join(cache, filepath.FromSlash(name))); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// keepWork has the go command leave its work directory to Run, which empties it.
const keepWork = "-work"

// withoutWork takes the line out of the output in which the go command says where that is, unless the
// user wants to see it.
func withoutWork(output string, r Request, env string) string {
	if goflags.Effective(env, r.Flags).On("work") || goflags.Parse(r.Flags).On("x") {
		return output
	}
	var out strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "WORK=") {
			out.WriteString(line)
		}
	}
	return out.String()
}
