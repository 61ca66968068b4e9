package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is a position in the file, from 1; columns count bytes.
type place struct{ line, col int }

// places says where each key of a document and each value stands. Keys are
// paths like `hook[1].watch`; the value of a path is at path + "=", that of an
// array's element at `hook[1].watch[0]=`. go-toml decodes values without their
// positions, and semantic errors need them.
type places map[string]place

// locate parses data once more for positions. It is given only documents that
// go-toml has decoded.
func locate(data []byte) places {
	s := scan{found: places{}, last: map[string]int{}}
	for i, c := range data {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		node := p.Expression()
		switch node.Kind {
		case unstable.KeyValue:
			s.keyValue(table, node)
		case unstable.Table, unstable.ArrayTable:
			table = s.header(node)
		}
	}
	return s.found
}

// scan is the state of one locate.
type scan struct {
	lines []int          // offset of the start of each line after the first
	last  map[string]int // path of an array table -> index of its last element
	found places
}

// header notes a [table] or [[array table]] and returns the path of what
// follows it.
func (s *scan) header(node *unstable.Node) string {
	path := ""
	for it := node.Key(); it.Next(); {
		key := it.Node()
		path = join(path, string(key.Data))
		s.note(path, key.Raw)
		if node.Kind == unstable.ArrayTable && it.IsLast() {
			if n, ok := s.last[path]; ok {
				s.last[path] = n + 1
			} else {
				s.last[path] = 0
			}
		}
		if n, ok := s.last[path]; ok {
			path = fmt.Sprintf("%s[%d]", path, n)
			s.note(path, key.Raw)
		}
	}
	return path
}

func (s *scan) keyValue(table string, node *unstable.Node) {
	path := table
	for it := node.Key(); it.Next(); {
		path = join(path, string(it.Node().Data))
		s.note(path, it.Node().Raw)
	}
	s.value(path, node.Value())
}

func (s *scan) value(path string, node *unstable.Node) {
	if node.Raw.Length > 0 {
		s.note(path+"=", node.Raw)
	}
	index := 0
	for it := node.Children(); it.Next(); index++ {
		switch node.Kind {
		case unstable.InlineTable:
			s.keyValue(path, it.Node())
		case unstable.Array:
			s.value(fmt.Sprintf("%s[%d]", path, index), it.Node())
		}
	}
}

// note keeps the first place of a path: the header of a table, not its
// mention in the header of a table inside it.
func (s *scan) note(path string, at unstable.Range) {
	if _, ok := s.found[path]; ok {
		return
	}
	offset := int(at.Offset)
	n := sort.SearchInts(s.lines, offset+1)
	start := 0
	if n > 0 {
		start = s.lines[n-1]
	}
	s.found[path] = place{line: n + 1, col: offset - start + 1}
}

// key returns where the key of path stands, or the nearest table around it.
func (p places) key(path string) place {
	for path != "" {
		if at, ok := p[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return place{1, 1}
}

// value returns where the value of path stands; for one without a position of
// its own (an array), where its key stands.
func (p places) value(path string) place {
	if at, ok := p[path+"="]; ok {
		return at
	}
	return p.key(path)
}

// join adds a key to a path, quoted where TOML would want quotes, so that
// "a.b" and a.b stay apart.
func join(path, key string) string {
	bare := key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	if !bare {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
