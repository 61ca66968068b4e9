package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is one page of the documentation.
type page struct {
	name   string // its path in the repository, with slashes
	prose  string // what is outside of blocks; lines are kept, so that they count
	blocks []block
}

// block is what stands between ``` and ```, with what a comment above it says.
type block struct {
	line   int // of its first ```, from 1
	lang   string
	text   string
	reason string // why it is not run; "" when it is
	file   string // to be written to, in the page's directory; "" for none
}

// mark is a comment that says something of the block below it.
var mark = regexp.MustCompile(`^\s*<!-- (not run|file)(?: by a check)?: (.+?) -->$`)

// fence is the first or last line of a block. A block may stand in a list.
var fence = regexp.MustCompile("^( *)```([a-z]*)$")

// readPage takes a page apart. What is wrong with its form is an error.
func readPage(name, text string) (page, error) {
	p := page{name: name}
	var prose, body []string
	var open *block
	marked, indent := block{}, ""
	for i, line := range strings.Split(text, "\n") {
		at, found := fence.FindStringSubmatch(line), mark.FindStringSubmatch(line)
		keep := ""
		switch {
		case open != nil && at != nil && at[2] == "":
			open.text = strings.Join(body, "\n") + "\n"
			p.blocks = append(p.blocks, *open)
			open, body = nil, nil
		case open != nil:
			body = append(body, strings.TrimPrefix(line, indent))
		case at != nil:
			open, indent = &block{line: i + 1, lang: at[2], reason: marked.reason, file: marked.file}, at[1]
			marked = block{}
		case marked != (block{}):
			return p, fmt.Errorf("%s:%d: the comment above is about a block, and none begins here", name, i+1)
		case found != nil && found[1] == "file":
			marked.file = found[2]
		case found != nil:
			marked.reason = found[2]
		default:
			keep = line
		}
		prose = append(prose, keep)
	}
	if open != nil {
		return p, fmt.Errorf("%s:%d: this block does not end", name, open.line)
	}
	p.prose = strings.Join(prose, "\n")
	return p, nil
}

// readPages returns the pages that are for people: README.md, CONTRIBUTING.md and docs.
func readPages(t *testing.T) []page {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md"}
	err := filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			names = append(names, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := readPage(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, p)
	}
	return pages
}

func TestReadPage(t *testing.T) {
	text := "# Title\n\n```sh\none\n\ntwo\n```\n<!-- not run: no network -->\n```sh\nthree\n```\n- item\n\n  <!-- file: a/b.txt -->\n  ```text\n  four\n    five\n  ```\n"
	p, err := readPage("x.md", text)
	if err != nil {
		t.Fatal(err)
	}
	want := []block{
		{line: 3, lang: "sh", text: "one\n\ntwo\n"},
		{line: 9, lang: "sh", text: "three\n", reason: "no network"},
		{line: 15, lang: "text", text: "four\n  five\n", file: "a/b.txt"},
	}
	if !slices.Equal(p.blocks, want) {
		t.Errorf("%+v\nwant\n%+v", p.blocks, want)
	}
	if lines := strings.Split(p.prose, "\n"); len(lines) != len(strings.Split(text, "\n")) || lines[11] != "- item" || strings.Contains(p.prose, "one") {
		t.Errorf("prose %q", p.prose)
	}
	for _, bad := range []string{"```sh\nx\n", "<!-- not run: why -->\ntext\n"} {
		if _, err := readPage("x.md", bad); err == nil {
			t.Errorf("no error of %q", bad)
		}
	}
}
