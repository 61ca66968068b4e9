package translate

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
)

func TestOfRegex(t *testing.T) {
	tests := map[string]string{
		`\.go$`:                 "**/*.go",
		`.go`:                   "**/*.go",
		`_test\.go`:             "**/*_test.go",
		`(\.go$|go\.mod)`:       "**/*.go **/*go.mod",
		`\.(js|ts)x?$`:          "**/*.js **/*.jsx **/*.ts **/*.tsx",
		`^src/`:                 "src/**",
		`^src/.*\.css$`:         "src/**/*.css",
		`/static/`:              "**/static/**",
		`^ui`:                   "ui* ui*/**",
		`^main\.go$`:            "main.go",
		`.*_templ.go`:           "**/*_templ.go",
		`node_modules`:          "**/*node_modules* **/*node_modules*/**",
		`^(.*/)?gen/.*`:         "gen/** **/gen/**",
		`a.*b$`:                 "",
		`[a-z]+`:                "",
		`(?i)x`:                 "",
		`(`:                     "",
		``:                      "",
		`.`:                     "**/*?* **/*?*/**",
		`^.*$`:                  "",
		`[ab]{c$`:               `**/*a\{c **/*b\{c`,
		`\.go$$`:                "**/*.go",
		strings.Repeat("a?", 9): "",
	}
	for expr, want := range tests {
		globs, ok := ofRegex(expr)
		if got := strings.Join(globs, " "); got != want || ok != (want != "") {
			t.Errorf("%s: got %s, %v; want %s", expr, got, ok, want)
		}
	}
}

// FuzzOfRegex: globs are valid, and match no path that the expression does not find, apart from the
// dots that are taken for dots.
func FuzzOfRegex(f *testing.F) {
	for _, expr := range []string{`\.go$`, `^src/.*\.css$`, `(a|b)\.(c|d)$`, `/static/`, `a?b`, `[ab]{`, `^x`} {
		f.Add(expr, "src/a.css")
	}
	f.Fuzz(func(t *testing.T, expr, path string) {
		globs, _ := ofRegex(expr)
		for _, glob := range globs {
			if !doublestar.ValidatePattern(glob) {
				t.Fatalf("%q: %q", expr, glob)
			}
			if ok, _ := doublestar.Match(glob, path); ok && !strings.ContainsAny(path, "\n\x00") && !strings.HasPrefix(path, "/") {
				if re, err := regexp.Compile(expr); err == nil && !re.MatchString(path) && !re.MatchString("/"+path) && !strings.Contains(expr, "/") {
					t.Errorf("%q finds no %q, but %q does", expr, path, glob)
				}
			}
		}
	})
}

func TestParseShell(t *testing.T) {
	tests := map[string][]string{ // words joined by |, then what expands, then what is more
		"go build -o ./tmp/main .":  {"go|build|-o|./tmp/main|."},
		"a && b; c\nd":              {"a", "b", "c", "d"},
		`A=1 B='x y' cmd "q $H" \$`: {"A=1,B=x y:cmd|q $H|$ expands $H"},
		`go build *.go`:             {"go|build|*.go expands *"},
		"a | b > c":                 {"a|b|c more |"},
		"a || b":                    {"a|b more |"},
		"(a)":                       {"a more ("},
		"a 'b":                      {"a|b more a quote that is not closed"},
		"a \\\n b # c\nd":           {"a|b", "d"},
		"x=$(date +%s; y) z":        {"x=$(date +%s; y):z expands $(date +%s; y)"},
		"a${B}c `d e`":              {"a${B}c|`d e` expands ${B}"},
		"":                          nil,
		" ; && ":                    nil,
		"''":                        {""},
	}
	for text, want := range tests {
		var got []string
		for _, c := range parseShell(text) {
			got = append(got, shellText(c))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func shellText(c command) string {
	var env []string
	for _, v := range c.env {
		env = append(env, v.name+"="+v.value)
	}
	text := strings.Join(c.words, "|")
	if len(env) > 0 {
		text = strings.Join(env, ",") + ":" + text
	}
	if c.expands != "" {
		text += " expands " + c.expands
	}
	if c.more != "" {
		text += " more " + c.more
	}
	return text
}
