package cmd

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// survey is what init finds in a project. Paths have slashes and are relative
// to root.
type survey struct {
	root string

	files      []string // every file seen, in the order of the walk
	prisma     []string // schema.prisma
	sqlc       []string // its configurations
	templ      []string
	bufGen     []string
	goose      []string // directories with its migrations
	migrate    []string // directories with golang-migrate's migrations
	generate   []string // Go files with //go:generate lines
	directives map[string][]string

	tools []string // packages of go.mod's tool lines
	cut   bool     // the project is larger than what was looked at
}

// The bounds of one survey, guesses: a project that needs hooks has their
// inputs near its top.
const (
	surveyEntries = 20000
	surveyDepth   = 10
	surveyBytes   = 1 << 20 // of one file
)

// skipped directories hold what others wrote, or what tools keep.
var skipped = []string{"node_modules", "vendor", "third_party", "testdata"}

// look walks root, up to most entries. Directories that cannot be read are passed over: init says
// what it found, not what there is.
func look(root string, most int) (*survey, error) {
	s := &survey{root: root, directives: map[string][]string{}}
	entries := 0
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, file)
		switch {
		case relErr != nil:
			return relErr
		case rel == ".":
			return err
		case err != nil:
			return nil
		}
		if entries++; entries > most {
			s.cut = true
			return filepath.SkipAll
		}
		return s.visit(filepath.ToSlash(rel), entry)
	})
	return s, err
}

func (s *survey) visit(rel string, entry fs.DirEntry) error {
	name := entry.Name()
	odd := !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) // not to be written into a file
	if entry.IsDir() {
		if odd || name[0] == '.' || name[0] == '_' || slices.Contains(skipped, name) || strings.Count(rel, "/") >= surveyDepth {
			return filepath.SkipDir
		}
		return nil
	}
	if odd || !entry.Type().IsRegular() {
		return nil
	}
	s.files = append(s.files, rel)
	switch path.Ext(name) {
	case ".go":
		s.goFile(rel)
	case ".sql":
		s.sqlFile(rel)
	case ".templ":
		s.templ = append(s.templ, rel)
	}
	switch name {
	case "schema.prisma":
		s.prisma = append(s.prisma, rel)
	case "sqlc.yaml", "sqlc.yml", "sqlc.json":
		s.sqlc = append(s.sqlc, rel)
	case "buf.gen.yaml":
		s.bufGen = append(s.bufGen, rel)
	case "go.mod":
		s.tools = append(s.tools, toolLines(s.read(rel))...)
	}
	return nil
}

// read returns the start of a file; "" when it cannot be read.
func (s *survey) read(rel string) string {
	file, err := os.Open(filepath.Join(s.root, filepath.FromSlash(rel)))
	if err != nil {
		return ""
	}
	defer file.Close() // only read from
	data, err := io.ReadAll(io.LimitReader(file, surveyBytes))
	if err != nil {
		return ""
	}
	return string(data)
}

// isDir reports whether rel is a directory of the project.
func (s *survey) isDir(rel string) bool {
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(rel)))
	return err == nil && info.IsDir()
}

// has reports whether the walk saw the file.
func (s *survey) has(rel string) bool { return slices.Contains(s.files, rel) }

// above returns the nearest directory at or above dir that holds name, "." at
// last.
func (s *survey) above(dir, name string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if s.has(path.Join(dir, name)) {
			return dir
		}
	}
	return "."
}

// generated marks files that are a generator's output (go help generate).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func (s *survey) goFile(rel string) {
	text := s.read(rel)
	if !strings.Contains(text, "//go:generate") || generated.MatchString(text) {
		return
	}
	for line := range strings.Lines(text) {
		if words, ok := strings.CutPrefix(line, "//go:generate "); ok {
			s.directives[rel] = append(s.directives[rel], strings.TrimSpace(words))
		}
	}
	if len(s.directives[rel]) > 0 {
		s.generate = append(s.generate, rel)
	}
}

// numbered matches golang-migrate's file names.
var numbered = regexp.MustCompile(`^\d+_.*\.(up|down)\.sql$`)

// gooseUp begins the upward part of a goose migration.
var gooseUp = regexp.MustCompile(`(?mi)^\s*--\s*\+goose\s+up\b`)

func (s *survey) sqlFile(rel string) {
	dir := path.Dir(rel)
	switch {
	case numbered.MatchString(path.Base(rel)):
		s.migrate = addNew(s.migrate, dir)
	case !slices.Contains(s.goose, dir) && gooseUp.MatchString(s.read(rel)):
		s.goose = append(s.goose, dir)
	}
}

func addNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// toolLines are the packages of a go.mod's tool directives.
func toolLines(text string) []string {
	var tools []string
	block := false
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "tool" && words[1] == "(":
			block = true
		case len(words) == 2 && words[0] == "tool":
			tools = append(tools, words[1])
		case block && len(words) == 1 && words[0] == ")":
			block = false
		case block && len(words) == 1:
			tools = append(tools, words[0])
		}
	}
	return tools
}

// program is how a Go tool is called here: through go.mod when it is pinned
// there.
func (s *survey) program(name, pkg string) string {
	if slices.Contains(s.tools, pkg) {
		return "go tool " + name
	}
	return name
}
