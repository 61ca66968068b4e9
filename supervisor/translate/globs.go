package translate

import (
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

var globMeta = regexp.MustCompile(`[*?\[\]{}\\!]`)

// Literal is a path as a glob that matches only it.
func Literal(name string) string { return globMeta.ReplaceAllString(name, `\$0`) }

// inDir is a glob below a directory, which may be "." or "".
func inDir(dir, glob string) string {
	if dir = path.Clean(slashes(dir)); dir == "." || dir == "/" {
		return glob
	}
	return Literal(dir) + "/" + glob
}

// slashes makes a path of Windows one with slashes.
func slashes(file string) string { return strings.ReplaceAll(file, `\`, "/") }

// withExtensions is what a file name with one of these extensions matches.
func withExtensions(exts []string) string {
	switch escaped := make([]string, len(exts)); {
	case len(exts) == 0:
		return ""
	case slices.Contains(exts, "*"):
		return "*"
	case len(exts) == 1:
		return "*." + Literal(exts[0])
	default:
		for i, ext := range exts {
			escaped[i] = strings.ReplaceAll(Literal(ext), ",", `\,`)
		}
		return "*.{" + strings.Join(escaped, ",") + "}"
	}
}

// below are globs for the extensions anywhere below each directory.
func below(dirs, exts []string) []string {
	name := withExtensions(exts)
	if name == "" {
		return nil
	}
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	var globs []string
	for _, dir := range dirs {
		globs = add(globs, inDir(dir, "**/"+name))
	}
	return globs
}

func add(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// oneExtension finds globs like web/**/*.html.
var oneExtension = regexp.MustCompile(`^(.*\*\*/\*\.)([A-Za-z0-9_]+)$`)

// merged puts the extensions of globs that differ in nothing else into one.
func merged(globs []string) []string {
	var out []string
	at, exts := map[string]int{}, map[string][]string{}
	for _, glob := range globs {
		m := oneExtension.FindStringSubmatch(glob)
		if m == nil {
			out = add(out, glob)
			continue
		}
		i, seen := at[m[1]]
		if !seen {
			i = len(out)
			at[m[1]], out = i, append(out, "")
		}
		exts[m[1]] = add(exts[m[1]], m[2])
		out[i] = m[1] + m[2]
		if len(exts[m[1]]) > 1 {
			out[i] = m[1] + "{" + strings.Join(exts[m[1]], ",") + "}"
		}
	}
	return out
}

// nameEnd is text that people write for the end of a name: ".go", "_test.go", "go.mod".
var nameEnd = regexp.MustCompile(`\.[A-Za-z0-9]+$`)

// ofRegex are globs for the paths, relative and with slashes, that a regular expression finds; not
// ok when globs cannot say it. A dot before a letter is taken for a dot, and ".go" for the end of a
// name: that is what people mean by them.
func ofRegex(expr string) (globs []string, ok bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, false
	}
	texts, ok := expand(re)
	if !ok {
		return nil, false
	}
	for _, t := range texts {
		of, ok := ofText(t)
		if !ok {
			return nil, false
		}
		globs = add(globs, of...)
	}
	return globs, len(globs) > 0
}

// Marks in what expand returns. They are not valid in paths.
const (
	markBegin = "\x00^"
	markEnd   = "\x00$"
	markAny   = "\x00*" // any text
	markOne   = "\x00." // any one character
)

// mostTexts bounds what one expression may become: a guess at what is still pleasant to read.
const mostTexts = 24

// expand lists the texts that an expression stands for, with marks.
func expand(re *syntax.Regexp) (texts []string, ok bool) {
	if re.Flags&syntax.FoldCase != 0 && re.Op == syntax.OpLiteral {
		return nil, false
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{strings.ReplaceAll(string(re.Rune), "\x00", "?")}, true
	case syntax.OpBeginText, syntax.OpBeginLine:
		return []string{markBegin}, true
	case syntax.OpEndText, syntax.OpEndLine:
		return []string{markEnd}, true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{markOne}, true
	case syntax.OpStar, syntax.OpPlus:
		if op := re.Sub[0].Op; op == syntax.OpAnyChar || op == syntax.OpAnyCharNotNL {
			return []string{markAny}, true
		}
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpQuest:
		inner, ok := expand(re.Sub[0])
		return append([]string{""}, inner...), ok && len(inner) < mostTexts
	case syntax.OpCharClass:
		return ofClass(re.Rune)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			inner, ok := expand(sub)
			if texts = append(texts, inner...); !ok || len(texts) > mostTexts {
				return nil, false
			}
		}
		return texts, true
	case syntax.OpConcat:
		return expandAll(re.Sub)
	}
	return nil, false
}

func expandAll(subs []*syntax.Regexp) (texts []string, ok bool) {
	texts = []string{""}
	for _, sub := range subs {
		inner, ok := expand(sub)
		if !ok || len(inner)*len(texts) > mostTexts {
			return nil, false
		}
		var longer []string
		for _, t := range texts {
			for _, more := range inner {
				longer = append(longer, t+more)
			}
		}
		texts = longer
	}
	return texts, true
}

func ofClass(ranges []rune) (texts []string, ok bool) {
	for i := 0; i+1 < len(ranges); i += 2 {
		if int(ranges[i+1]-ranges[i])+len(texts) >= mostTexts || ranges[i] == 0 {
			return nil, false
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			texts = append(texts, string(r))
		}
	}
	return texts, len(texts) > 0
}

// letterNext finds a mark for any character before a letter: a dot that was not escaped.
var letterNext = regexp.MustCompile("\x00\\.([A-Za-z])")

// ofText are the globs for one text of expand.
func ofText(t string) (globs []string, ok bool) {
	t = letterNext.ReplaceAllString(t, ".$1")
	t, begin := strings.CutPrefix(t, markBegin)
	t, end := strings.CutSuffix(t, markEnd)
	t = strings.TrimSuffix(t, markEnd) // "$$" of a Makefile
	if rest, any := strings.CutPrefix(t, markAny); any {
		t, begin = rest, false
	}
	if rest, any := strings.CutSuffix(t, markAny); any {
		t, end = rest, false
	}
	parts := strings.Split(t, markAny)
	for i, part := range parts {
		if i > 0 && parts[i-1] != "" && !strings.HasSuffix(parts[i-1], "/") {
			return nil, false // a * of a glob does not cross directories
		}
		if strings.Contains(strings.ReplaceAll(part, markOne, ""), "\x00") || i+1 < len(parts) && part == "" {
			return nil, false
		}
		parts[i] = strings.ReplaceAll(Literal(part), markOne, "?")
	}
	if t == "" {
		return nil, false
	}
	glob := strings.Join(parts, "**/*")
	switch {
	case !begin && strings.HasPrefix(glob, "/"):
		glob = "**" + glob
	case !begin:
		glob = "**/*" + glob
	}
	switch {
	case end || nameEnd.MatchString(t):
		return []string{glob}, true
	case strings.HasSuffix(glob, "/"):
		return []string{glob + "**"}, true
	}
	return []string{glob + "*", glob + "*/**"}, true
}
