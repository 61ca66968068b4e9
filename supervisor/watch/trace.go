package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// maxLinks is how many symbolic links Linux follows in one path (path_resolution(7)).
const maxLinks = 40

// way is how the kernel gets from a path to what it leads to.
type way struct {
	links   []string // the symbolic links on it, each named without links in its own directory
	passed  []string // the files and directories that the links name, see pass
	real    string   // the path without links
	missing string   // the first element that is missing, if it leads nowhere
}

// trace walks a path as the kernel does.
func trace(path string) way {
	w := way{real: rootOf(path)}
	rest := elements(path)
	named := 0 // how many of rest come from a link
	for len(rest) > 0 {
		next := filepath.Join(w.real, rest[0])
		byLink := named > 0
		rest, named = rest[1:], max(0, named-1)
		info, err := os.Lstat(next)
		if err != nil {
			return w.end(next)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			w.real = next
			if byLink {
				w.pass(next)
			}
			continue
		}
		w.links = append(w.links, next)
		target, err := os.Readlink(next)
		if err != nil || len(w.links) > maxLinks {
			return w.end(next)
		}
		if filepath.IsAbs(target) {
			w.real = rootOf(target)
		}
		more := elements(target)
		rest, named = append(more, rest...), named+len(more)
	}
	return w
}

func (w way) end(missing string) way {
	w.real, w.missing = missing, missing
	return w
}

// pass notes a directory or file that a link names. Nobody else hears when it is renamed: it may be
// far from all that the plan names. Left out are the directories above the link, and those of the
// root directory.
func (w *way) pass(path string) {
	link, parent := w.links[len(w.links)-1], filepath.Dir(path)
	if !paths.Within(link, path) && parent != filepath.Dir(parent) {
		w.passed = append(w.passed, path)
	}
}

// same reports whether nothing was exchanged between two looks at one path.
func (w way) same(v way) bool {
	return w.real == v.real && w.missing == v.missing && slices.Equal(w.links, v.links)
}

func rootOf(path string) string { return filepath.VolumeName(path) + string(filepath.Separator) }

func elements(path string) []string {
	path = strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(filepath.VolumeName(path)))
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// place is what a name leads to.
type place int

const (
	nothing place = iota // also what this user may not look at
	aFile
	aDirectory
	nowhere // the name is a symbolic link that dangles
)

func placeOf(path string) place {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return aDirectory
	case err == nil:
		return aFile
	case errors.Is(err, fs.ErrPermission):
		return nothing
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nowhere
	}
	return nothing
}

// placeOfEntry is placeOf with one system call less, or two, for a name in a listing.
func placeOfEntry(e fs.DirEntry, path string) place {
	switch {
	case e.IsDir():
		return aDirectory
	case e.Type()&fs.ModeSymlink != 0:
		return placeOf(path)
	}
	return aFile
}
