package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links Linux follows in one path (path_resolution(7)).
const maxLinks = 40

// trace walks a path as the kernel does. It returns the symbolic links on the way, each named
// without links in its own directory; the path without links; and, when that leads nowhere, its
// first element that is missing.
func trace(path string) (links []string, real, missing string) {
	real = filepath.VolumeName(path) + string(filepath.Separator)
	rest := elements(path)
	for len(rest) > 0 {
		next := filepath.Join(real, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return links, next, next
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = next
			continue
		}
		links = append(links, next)
		target, err := os.Readlink(next)
		if err != nil || len(links) > maxLinks {
			return links, next, next
		}
		if filepath.IsAbs(target) {
			real = filepath.VolumeName(target) + string(filepath.Separator)
		}
		rest = append(elements(target), rest...)
	}
	return links, real, ""
}

func elements(path string) []string {
	path = strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(filepath.VolumeName(path)))
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
