package fastbuild

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// outside are the files of the packages that are not the project's own, of the standard library and of the
// module cache, by import path. Nobody is expected to change them, so that they are no inputs, which are
// looked at before a build: that would take longer than the rest of it. But the go command hashes each of
// them in each build (buildActionID), and people do write a line into a module to find a mistake.
type outside map[string][]stamped

type stamped struct {
	name  string // absolute, of a file or directory
	stamp stamp
}

// takeOutside looks at the packages outside for the first time. It returns one that may have been written
// since a time as a Refusal.
func (p *Plan) takeOutside(since time.Time) error {
	p.outside = outside{}
	for _, pkg := range p.packages {
		if pkg.Local {
			continue
		}
		files, err := pkg.stamps()
		if err != nil {
			return fmt.Errorf("look at package %s: %w", pkg.Path, err)
		}
		for _, f := range files {
			if f.stamp.racy(since) {
				return refuse(Written, f.name)
			}
		}
		p.outside[pkg.Path] = files
	}
	return nil
}

// stamps are those of the directory of the package, and of all that the go command looks at in it.
func (pkg *Package) stamps() ([]stamped, error) {
	entries, err := os.ReadDir(pkg.Dir)
	if err != nil {
		return nil, err
	}
	names := append([]string{pkg.Dir}, pkg.embed.parents...)
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && matters(name) && !strings.HasSuffix(name, "_test.go") {
			names = append(names, filepath.Join(pkg.Dir, name))
		}
	}
	for _, name := range pkg.embed.files {
		names = append(names, name)
	}
	all := make([]stamped, len(names))
	for i, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		all[i] = stamped{name, stampOf(info)}
	}
	return all, nil
}

// changed returns a file of a package that is another than it was.
func (o outside) changed(path string) (string, bool) {
	for _, f := range o[path] {
		if info, err := os.Stat(f.name); err != nil || stampOf(info) != f.stamp {
			return f.name, true
		}
	}
	return "", false
}

// unchanged returns a Refusal when a file outside is not what it was.
func (o outside) unchanged() error {
	for path := range o {
		if name, yes := o.changed(path); yes {
			return refuse(Outside, name)
		}
	}
	return nil
}
