package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// module is what edits are made of: the packages of a program that somebody would edit.
type module struct {
	dir    string
	own    []listed
	linked []string // import paths of all packages
	first  map[string]string
	now    map[string]string // what differs from that
	n      int               // of the newest edit: names that an edit brings have it
}

func newModule(dir string, packages []listed) *module {
	m := &module{dir: dir, first: map[string]string{}, now: map[string]string{}}
	for _, p := range packages {
		m.linked = append(m.linked, p.ImportPath)
		if p.own() && len(p.CgoFiles) == 0 {
			m.own = append(m.own, p)
		}
	}
	return m
}

// pick is a Go file of any of the packages.
func (m *module) pick(r *rand.Rand) (listed, string) {
	p := m.own[r.IntN(len(m.own))]
	return p, filepath.Join(p.Dir, p.GoFiles[r.IntN(len(p.GoFiles))])
}

// source reads a file of any of the packages that has a place for an edit.
func (m *module) source(r *rand.Rand) (source, bool) {
	_, name := m.pick(r)
	return readSource(name)
}

// embedded is the name of any embedded file.
func (m *module) embedded(r *rand.Rand) (string, bool) {
	var all []string
	for _, p := range m.own {
		for _, name := range p.EmbedFiles {
			all = append(all, filepath.Join(p.Dir, name))
		}
	}
	if len(all) == 0 {
		return "", false
	}
	return all[r.IntN(len(all))], true
}

func (m *module) read(name string) (string, error) {
	text, err := os.ReadFile(name)
	return string(text), err
}

// edit is what files are to be.
type edit struct {
	files map[string]string
	keep  bool // the time of modification
}

// gone is what a file is to be that is to be removed.
const gone = "\x00"

// write makes an edit, and returns what takes it back.
func (m *module) write(e edit) (undo edit, err error) {
	undo = edit{files: map[string]string{}}
	for name, text := range e.files {
		before := gone
		if bytes, err := os.ReadFile(name); err == nil {
			before = string(bytes)
		} else if !errors.Is(err, os.ErrNotExist) {
			return undo, err
		}
		undo.files[name] = before
		if err := replace(name, text, e.keep); err != nil {
			return undo, err
		}
		m.remember(name, before, text)
	}
	return undo, nil
}

// remember keeps what a file was at the beginning.
func (m *module) remember(name, before, text string) {
	if _, known := m.first[name]; !known {
		m.first[name] = before
	}
	if m.now[name] = text; text == m.first[name] {
		delete(m.now, name)
	}
}

// back is the edit that makes one file what it was at the beginning.
func (m *module) back(r *rand.Rand) (edit, bool) {
	var names []string
	for name := range m.now {
		names = append(names, name)
	}
	if len(names) == 0 {
		return edit{}, false
	}
	slices.Sort(names)
	name := names[r.IntN(len(names))]
	return edit{files: map[string]string{name: m.first[name]}}, true
}

func replace(name, text string, keepTime bool) error {
	if text == gone {
		return os.Remove(name)
	}
	var at time.Time
	if info, err := os.Stat(name); err == nil {
		at = info.ModTime()
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil || !keepTime {
		return err
	}
	return os.Chtimes(name, time.Time{}, at)
}

// fresh is a name that nothing has.
func (m *module) fresh() string { return fmt.Sprint("Edited", m.n) }

// importable is a package that the program links, and that not all files may import: of some the go
// command says so.
func (m *module) importable(r *rand.Rand) string {
	for {
		path := m.linked[r.IntN(len(m.linked))]
		foreign := path == "internal" || strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "vendor/") ||
			strings.Contains(path, "/internal/") || strings.HasSuffix(path, "/internal")
		own := slices.ContainsFunc(m.own, func(p listed) bool { return p.ImportPath == path })
		if own || !foreign {
			return path
		}
	}
}
