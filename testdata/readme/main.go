// Readme draws docs/images/session.svg from a real session: devguard runs a copy of the sample
// service at a terminal (script of util-linux), files are edited, and what it says becomes the
// picture. In the root of a clean clone, on a quiet machine:
//
//	go run ./testdata/readme
//
// It wants port 8080 of loopback, and git for the copy, which has what is committed.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const picture = "docs/images/session.svg"

// edits are what happens after the start: a file, one text in it and what it becomes, and what
// devguard says once it has dealt with that. Without an old text the file is new.
var edits = []struct{ file, old, new, then string }{
	{"internal/catalog/price/price.go", `"prices-1"`, `"prices-2"`, "(save to ready)"},
	{"internal/catalog/price/price.go", `"prices-2"`, `"prices-2`, "keeps serving"},
	{"internal/catalog/price/price.go", `"prices-2`, `"prices-3"`, "(save to ready)"},
	{"migrations/0004_notes.sql", "", "CREATE TABLE notes (id bigserial PRIMARY KEY, text text NOT NULL);\n", "(save to ready)"},
	{"templates/layout.html", "page-1", "page-2", "(save to ready)"},
}

func main() {
	dir, err := os.MkdirTemp("", "devguard-readme-")
	if err == nil {
		err = draw(dir)
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func draw(dir string) error {
	clone := filepath.Join(dir, "devguard")
	for _, line := range [][]string{
		{"git", "clone", "--quiet", ".", clone},
		{"go", "build", "-o", filepath.Join(dir, "bin") + "/", "."},
	} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, out)
		}
	}
	shop := filepath.Join(clone, "testdata", "shop")
	if _, err := record(dir, shop, 0); err != nil { // the first builds of all, and the database, are not the story
		return err
	}
	said, err := record(dir, shop, len(edits))
	if err != nil {
		return err
	}
	return os.WriteFile(picture, svg(screen(said)), 0o644)
}

// record runs devguard in shop and makes the first n edits. It returns what was on the terminal.
func record(dir, shop string, n int) ([]byte, error) {
	cmd := exec.Command("script", "-qec", "devguard run", filepath.Join(dir, "typescript"))
	cmd.Dir = shop
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "TERM=xterm", "PORT=8080")
	keys, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	said := &terminal{more: make(chan []byte)}
	cmd.Stdout = said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err = said.until("(from start)")
	for _, e := range edits[:n] {
		if err == nil {
			err = said.edited(filepath.Join(shop, e.file), e.old, e.new, e.then)
		}
	}
	_, _ = io.WriteString(keys, "q")
	go said.drain()
	_ = cmd.Wait() // with the exit code of the session, which is not the story either
	return said.all, err
}

// terminal is what a session has written.
type terminal struct {
	more chan []byte
	all  []byte
}

func (t *terminal) Write(p []byte) (int, error) {
	t.more <- bytes.Clone(p)
	return len(p), nil
}

func (t *terminal) drain() {
	for range t.more {
	}
}

// until reads on to a line with these words.
func (t *terminal) until(words string) error {
	from := len(t.all)
	late := time.After(2 * time.Minute)
	for !bytes.Contains(t.all[from:], []byte(words)) {
		select {
		case p := <-t.more:
			t.all = append(t.all, p...)
		case <-late:
			return fmt.Errorf("it does not say %q:\n%s", words, t.all)
		}
	}
	return nil
}

func (t *terminal) edited(path, old, text, then string) error {
	if old != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), old) {
			return fmt.Errorf("%s has no %s", path, old)
		}
		text = strings.Replace(string(data), old, text, 1)
	}
	time.Sleep(4 * time.Second) // somebody looks at it, and types
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	return t.until(then)
}
