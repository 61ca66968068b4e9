package fastbuild

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What else is missing may be missing: that it comes is what asks for the go command.
func TestSourceMustBeThere(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.go")
	if _, err := take([]input{{name, goSource}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := take([]input{{name, content}}); err != nil {
		t.Error(err)
	}
}

// What is embedded, or has that below, must not become a symbolic link: the go command does not follow it.
func TestLinkInThePlaceOfWhatIsEmbedded(t *testing.T) {
	for name, kind := range map[string]inputKind{"text": embedded, "below": embedParent, "whole": allNames} {
		dir := t.TempDir()
		file, away := filepath.Join(dir, name), filepath.Join(dir, "away")
		if kind == embedded {
			write(t, file, "text")
		} else if err := os.Mkdir(file, 0o755); err != nil {
			t.Fatal(err)
		}
		p := &Plan{}
		var err error
		if p.inputs, err = take([]input{{file, kind}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Rename(file, away), os.Symlink(away, file)); err != nil {
			t.Fatal(err)
		}
		if e, err := p.Look(); err != nil || len(e.Others) != 1 || e.Others[0].Kind != FilesCame {
			t.Errorf("%s: %v, %v", name, e.Others, err)
		}
		if _, err := take([]input{{file, kind}}); err == nil {
			t.Errorf("%s: a link is taken for what is embedded", name)
		}
	}
}

// Of the names in a directory only those count that the go command cares about.
func TestNamesThatCount(t *testing.T) {
	dir := t.TempDir()
	inputs := []input{{dir, goNames}, {dir, moduleNames}, {dir, embedParent}, {filepath.Join(dir, "*.html"), matchNames}}
	for name, want := range map[string][]string{
		"app.db-journal": nil, "a_test.go": nil, "a.go": {dir}, "a.html": {filepath.Join(dir, "*.html")}, ".a.html": {filepath.Join(dir, "*.html")},
		"vendor": {dir, dir, dir}, "go.mod": {dir, dir, dir},
	} {
		p := &Plan{}
		var err error
		if p.inputs, err = take(inputs); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		write(t, file, "")
		e, err := p.Look()
		var got []string
		for _, d := range e.Others {
			got = append(got, d.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v; %v", name, got, want, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// Of a directory that was read before the build, only the names that count tell whether it was written.
func TestWrittenSinceTheNamesWereRead(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	before := NamesIn(slices.Values([]string{dir, filepath.Join(dir, "missing")}))
	for name, want := range map[string]bool{"app.db-journal": false, "a.go": true} {
		write(t, filepath.Join(dir, name), "")
		all, err := take([]input{{dir, goNames}})
		if err != nil {
			t.Fatal(err)
		}
		if _, yes := written(all, began, nil); !yes {
			t.Errorf("%s: nothing was written", name)
		}
		if _, yes := written(all, began, before); yes != want {
			t.Errorf("%s: written: %t", name, yes)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
