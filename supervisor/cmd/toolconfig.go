package cmd

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// toolConfig returns the strings under each of keys, wherever in a tool's YAML or
// JSON configuration they stand: a string or a list of strings. It knows as much of YAML as
// people use in the configurations of sqlc and buf (scalars, "- item" and [a, b]
// lists); what it misses, the comment in the written file asks the user to add.
func toolConfig(text string, keys ...string) map[string][]string {
	found := map[string][]string{}
	for _, key := range keys {
		found[key] = nil
	}
	var document any
	if json.Unmarshal([]byte(text), &document) == nil {
		fromJSON(document, found)
	} else {
		fromYAML(text, found)
	}
	return found
}

func fromJSON(v any, found map[string][]string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			fromJSON(item, found)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if _, wanted := found[key]; wanted {
				found[key] = append(found[key], texts(v[key])...)
			}
			fromJSON(v[key], found)
		}
	}
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func fromYAML(text string, found map[string][]string) {
	list := "" // the wanted key whose items follow
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if line == "" || line[0] == '#' {
			continue
		}
		item, isItem := strings.CutPrefix(line, "- ")
		if isItem {
			line = strings.TrimSpace(item)
		}
		key, value, assigned := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if isItem && list != "" && (!assigned || value == "") {
			found[list] = append(found[list], scalar(line))
			continue
		}
		list = ""
		if _, wanted := found[scalar(key)]; !wanted || !assigned {
			continue
		}
		switch key = scalar(key); {
		case value == "":
			list = key
		case value[0] == '[':
			for part := range strings.SplitSeq(strings.Trim(value, "[]"), ",") {
				if part = scalar(part); part != "" {
					found[key] = append(found[key], part)
				}
			}
		default:
			found[key] = append(found[key], scalar(value))
		}
	}
}

// scalar is a YAML scalar without its quotes.
func scalar(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }
