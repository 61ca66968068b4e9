package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// reader collects what is wrong with one document while decode.go reads it.
type reader struct {
	file   string
	places places
	errs   Errors
	keys   []string        // every key asked for, as "hook.watch": the schema
	seen   map[string]bool // of keys
	dry    bool            // enter sections that are not there, to learn the schema
	schema []string        // every key there is, for suggestions
}

// table is one TOML table being read. Each accessor names a key that exists;
// what is left over at the end is unknown.
type table struct {
	r      *reader
	path   string // in the document: "hook[1]"
	schema string // among the keys: "hook"
	values map[string]any
	known  map[string]bool
}

func (r *reader) table(path, schema string, values map[string]any) *table {
	return &table{r: r, path: path, schema: schema, values: values, known: map[string]bool{}}
}

// take registers key and returns its value.
func (t *table) take(key string) (any, bool) {
	t.known[key] = true
	if name := join(t.schema, key); !t.r.seen[name] {
		t.r.seen[name] = true
		t.r.keys = append(t.r.keys, name)
	}
	v, ok := t.values[key]
	return v, ok
}

// has reports whether the document sets key.
func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

func (t *table) text(key string, into *string) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, v, "a string in quotes")
		return
	}
	if t.printable(key, s) {
		*into = s
	}
}

// printable refuses what no command line, path or variable can hold.
func (t *table) printable(key, s string) bool {
	if strings.ContainsRune(s, 0) {
		t.fail(key, "remove it", "contains a NUL character")
		return false
	}
	return true
}

func (t *table) boolean(key string, into *bool) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, v, "true or false, without quotes")
		return
	}
	*into = b
}

// list reads a list of strings; example shows how to write one.
func (t *table) list(key string, into *[]string, example string) {
	if v, ok := t.take(key); ok {
		t.strings(key, v, into, "a list of strings, like "+example)
	}
}

func (t *table) strings(key string, v any, into *[]string, want string) {
	elements, ok := v.([]any)
	if !ok {
		t.wrong(key, v, want)
		return
	}
	out := make([]string, 0, len(elements))
	for i, element := range elements {
		s, ok := element.(string)
		if !ok {
			t.wrong(item(key, i), element, "a string in quotes")
			continue
		}
		if t.printable(item(key, i), s) {
			out = append(out, s)
		}
	}
	// An empty list reads like an absent one, but replaces a default.
	if *into = out; len(out) == 0 {
		*into = nil
	}
}

// duration reads a duration of at least least.
func (t *table) duration(key string, into *time.Duration, least time.Duration) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, v, `a duration in quotes, like "5s" or "500ms"`)
		return
	}
	if d, ok := t.parseDuration(key, s, least); ok {
		*into = d
	}
}

func (t *table) parseDuration(key, s string, least time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.fail(key, `write a number and a unit, like "5s", "500ms" or "1m30s"`, "%q is not a duration", s)
	case d < least && least == 0:
		t.fail(key, `write "0s" or more`, "%q is negative", s)
	case d < least:
		t.fail(key, fmt.Sprintf("write %q or more", least), "%q is too short", s)
	default:
		return d, true
	}
	return 0, false
}

// oneOf reads a string that is one of values; later holds words that design
// knows but this version does not.
func oneOf[T ~string](t *table, key string, into *T, values []T, later ...string) {
	var s string
	if t.text(key, &s); !t.has(key) || s == "" && *into == "" {
		return
	}
	if _, isText := t.values[key].(string); !isText {
		return // text has said so
	}
	if slices.Contains(values, T(s)) {
		*into = T(s)
		return
	}
	known := words(values)
	if slices.Contains(later, s) {
		t.fail(key, "write one of "+strings.Join(known, ", "), "%q is not in this version", s)
		return
	}
	e := t.fail(key, "write one of "+strings.Join(known, ", "), "%q is not a value of it", s)
	e.Nearest = Nearest(s, known)
}

// section reads the table under key.
func (t *table) section(key string, read func(*table)) {
	v, ok := t.take(key)
	if !ok && !t.r.dry {
		return
	}
	values, isTable := v.(map[string]any)
	if ok && !isTable {
		t.wrong(key, v, fmt.Sprintf("a table: write [%s]", key))
		return
	}
	t.enter(join(t.path, key), key, values, read)
}

// sections reads each of the tables under key.
func (t *table) sections(key string, read func(*table)) {
	v, ok := t.take(key)
	if t.r.dry {
		t.enter(key, key, nil, read)
	}
	if !ok {
		return
	}
	elements, isList := v.([]any)
	if !isList {
		t.wrong(key, v, fmt.Sprintf("a list of tables: write [[%s]], with two brackets", key))
		return
	}
	for i, element := range elements {
		values, isTable := element.(map[string]any)
		if !isTable {
			t.wrong(item(key, i), element, fmt.Sprintf("a table: write [[%s]]", key))
			continue
		}
		t.enter(item(join(t.path, key), i), key, values, read)
	}
}

func (t *table) enter(path, key string, values map[string]any, read func(*table)) {
	inner := t.r.table(path, join(t.schema, key), values)
	read(inner)
	inner.unknown()
}

// unknown reports the keys of the document that nobody asked for.
func (t *table) unknown() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if t.known[key] {
			continue
		}
		name := join(t.schema, key)
		at := t.r.places.key(join(t.path, key))
		t.r.errs = append(t.r.errs, &Error{
			File: t.r.file, Line: at.line, Col: at.col, Key: name,
			Msg:     fmt.Sprintf("unknown key %q", name),
			Nearest: nearestKey(name, t.r.schema),
			Next:    "the keys here are " + strings.Join(slices.Sorted(maps.Keys(t.known)), ", "),
		})
	}
}

// wrong reports a value of another type than wanted.
func (t *table) wrong(key string, v any, want string) {
	t.fail(key, "", "want %s, not %s", want, kind(v))
}

// fail reports a problem with the value of key, which may name an item of it.
func (t *table) fail(key, hint, format string, args ...any) *Error {
	name, _, _ := strings.Cut(key, "[")
	if t.schema != "" {
		name = t.schema + "." + name
	}
	path := key
	if t.path != "" {
		path = t.path + "." + key
	}
	at := t.r.places.value(path)
	e := &Error{
		File: t.r.file, Line: at.line, Col: at.col, Key: name,
		Msg:  name + ": " + fmt.Sprintf(format, args...),
		Next: hint,
	}
	t.r.errs = append(t.r.errs, e)
	return e
}

// item names the i-th element of a list.
func item(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// kind says what a decoded value is, without the value: it may be a secret.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case toml.LocalDate, toml.LocalTime, toml.LocalDateTime, time.Time:
		return "a date or time"
	}
	return fmt.Sprintf("a %T", v)
}
