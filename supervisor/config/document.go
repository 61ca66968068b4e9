package config

import (
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Document is a TOML file of another tool, with the places of its keys.
type Document struct {
	Values map[string]any // as go-toml decodes them
	places places
}

// ReadDocument reads TOML. shown names the file in errors, hint is that of a syntax error. The error
// is an Errors.
func ReadDocument(shown string, data []byte, hint string) (*Document, error) {
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		e := syntaxError(shown, err)
		e.Next = hint
		return nil, Errors{e}
	}
	return &Document{Values: values, places: locate(data)}, nil
}

// Line says at which line, from 1, a key stands, like build.cmd or build.rules[0].cmd; for one that
// is not there, the table that it would be in.
func (d *Document) Line(key string) int { return d.places.key(key).line }
