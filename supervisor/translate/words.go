package translate

import "strings"

// option is one flag of a command line.
type option struct {
	name  string // as the table of the tool has it
	value string
}

// options reads the flags that begin words, until a word that is none. valued says of a name
// whether it takes a value, and how it is called; not ok for one that the tool does not know.
// Letters may stand together, as in -sr PATTERN, where letters is set.
func options(words []string, letters bool, valued func(name string) (long string, takes, ok bool)) (opts []option, rest []string, unknown string) {
	for len(words) > 0 {
		word := words[0]
		name, value, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case word == "--":
			return opts, words[1:], ""
		case len(word) < 2 || word[0] != '-':
			return opts, words, ""
		}
		words = words[1:]
		if letters && !strings.HasPrefix(word, "--") {
			for len(name) > 1 {
				long, takes, ok := valued(name[:1])
				if !ok {
					return opts, words, "-" + name[:1]
				}
				if takes { // -r'PATTERN'
					_, value, _ = strings.Cut(word, name[:1])
					name, assigned = name[:1], true
					break
				}
				opts, name = append(opts, option{name: long}), name[1:]
			}
		}
		long, takes, ok := valued(name)
		if !ok {
			return opts, words, "-" + name
		}
		if takes && !assigned && len(words) > 0 {
			value, words = words[0], words[1:]
		}
		opts = append(opts, option{long, value})
	}
	return opts, nil, ""
}

// joined are the lines of a text, those that end in a backslash with the next, each with the number
// of its first line. Comments and empty lines are left out.
func joined(text string) (lines []string, numbers []int) {
	var parts []string
	start := 1
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if len(parts) == 0 {
			start = i + 1
			if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
				continue
			}
		}
		if more, ok := strings.CutSuffix(line, `\`); ok {
			parts = append(parts, more)
			continue
		}
		lines, numbers = append(lines, strings.Join(append(parts, line), " ")), append(numbers, start)
		parts = nil
	}
	if len(parts) > 0 {
		lines, numbers = append(lines, strings.Join(parts, " ")), append(numbers, start)
	}
	return lines, numbers
}

// afterTool are the words behind the name of a tool, which npx, "go tool" or variables may precede.
func afterTool(words []string, tool string) []string {
	for i, w := range words {
		if name, _, _ := strings.Cut(baseName(w), "@"); name == tool {
			return words[i+1:]
		}
	}
	return words
}
