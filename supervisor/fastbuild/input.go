package fastbuild

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// input is one thing that a plan depends on.
type input struct {
	name string // absolute
	kind inputKind
}

type inputKind uint8

const (
	goSource    inputKind = iota // compiled, of a package that somebody may edit: the one that may change
	content                      // of whatever file, there or not: go.mod, headers, tools
	excluded                     // of a Go file that a constraint or its name excludes, what the go command reads of it
	testHeader                   // of a test file what the go command reads of it
	testNames                    // the names of test files in a directory
	goNames                      // the other names in a directory that the go command may care about
	moduleNames                  // the names in a directory that belong to modules: go.mod, vendor
	allNames                     // all names in a directory that is embedded whole
	matchNames                   // the names in a directory that a pattern matches, which is the last element of the input's name
	embedded                     // content of a regular file that is embedded
	embedParent                  // of a directory above one: that it is a directory, and no module of its own
)

// digest tells contents apart.
type digest [sha256.Size]byte

// seen is what an input was, the last time that somebody looked.
type seen struct {
	stamp stamp
	at    time.Time // when the look began
	sum   digest    // zero: there is none
	shape Shape     // of a Go source: of the bytes that the sum is of
}

// look returns what an input is now; before is what it was. One that has kept its stamp is not read.
func (in input) look(before seen) (seen, error) {
	now := seen{at: time.Now()}
	info, err := in.stat()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return now, nil
	case err != nil:
		return now, err
	}
	now.stamp = stampOf(info)
	if !in.fits(info) {
		return now, nil // as good as none
	}
	if now.stamp == before.stamp && !before.stamp.racy(before.at) {
		return before, nil
	}
	now.sum, now.shape, err = in.read()
	return now, err
}

// stat does not follow a symbolic link that the go command would not embed.
func (in input) stat() (fs.FileInfo, error) {
	switch in.kind {
	case embedded, embedParent, allNames:
		return os.Lstat(in.name)
	}
	return os.Stat(in.directory())
}

// fits reports whether the go command takes what is there for what it was. (resolveEmbed in cmd/go/internal/load)
func (in input) fits(info fs.FileInfo) bool {
	switch in.kind {
	case embedded:
		return info.Mode().IsRegular()
	case embedParent, allNames:
		return info.IsDir()
	}
	return true
}

// read returns a sum that is never zero but with an error.
func (in input) read() (digest, Shape, error) {
	if in.lists() {
		entries, err := os.ReadDir(in.directory())
		if err != nil {
			return digest{}, Shape{}, err
		}
		return in.sumOf(entries), Shape{}, nil
	}
	src, err := os.ReadFile(in.name)
	if err != nil {
		return digest{}, Shape{}, err
	}
	switch in.kind {
	case goSource:
		return sha256.Sum256(src), shapeOf(src), nil
	case testHeader:
		s := shapeOf(src)
		return sha256.Sum256(fmt.Appendf(nil, "%t %s %t", s.Parses, s.Package, s.usesCgo())), s, nil
	case excluded:
		if s := shapeOf(src); s.Parses {
			return sha256.Sum256(fmt.Appendf(nil, "%#v", s)), Shape{}, nil
		}
	}
	return sha256.Sum256(src), Shape{}, nil
}

// take looks at inputs for the first time. What is compiled must be there, and be what it is taken for.
func take(inputs []input) (map[input]seen, error) {
	all := make(map[input]seen, len(inputs))
	for _, in := range inputs {
		now, err := in.look(seen{})
		if err != nil {
			return nil, err
		}
		if now.sum == (digest{}) && in.required() {
			return nil, &fs.PathError{Op: "read", Path: in.name, Err: fs.ErrNotExist}
		}
		all[in] = now
	}
	return all, nil
}

func (in input) required() bool {
	switch in.kind {
	case goSource, embedded, embedParent, allNames:
		return true
	}
	return false
}
