package graph

import "strings"

// flag is one flag of a go command line.
type flag struct {
	name, value string
	words       []string
}

// concerns are the build flags that decide which files are in a build, and
// whether they take a value. -pgo is not passed: it only names packages twice.
var concerns = map[string]bool{
	"tags": true, "mod": true, "modfile": true, "overlay": true, "compiler": true, "installsuffix": true, "pgo": true,
	"race": false, "msan": false, "asan": false, "modcacherw": false,
}

// others are flags whose value may be the next word.
var others = map[string]bool{
	"C": true, "o": true, "p": true, "asmflags": true, "buildmode": true, "covermode": true, "coverpkg": true,
	"gccgoflags": true, "gcflags": true, "ldflags": true, "pkgdir": true, "toolexec": true,
}

// parseFlags returns those of words that concern the graph. What is wrong with the
// others is for the build to say.
func parseFlags(words []string) []flag {
	var all []flag
	for i := 0; i < len(words); i++ {
		w := words[i]
		name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(w, "-"), "-"), "=")
		takes, concern := concerns[name]
		f := flag{name: name, value: value, words: []string{w}}
		if (takes || others[name]) && !given && i+1 < len(words) {
			i++
			f.value, f.words = words[i], append(f.words, words[i])
		}
		if concern && strings.HasPrefix(w, "-") {
			if !takes && !given {
				f.value = "true"
			}
			all = append(all, f)
		}
	}
	return all
}

// listFlags returns the user's build flags that go list needs.
func listFlags(words []string) []string {
	var args []string
	for _, f := range parseFlags(words) {
		if f.name != "pgo" {
			args = append(args, f.words...)
		}
	}
	return args
}

// settings are the flags that concern the graph, of the command line, else of
// GOFLAGS; the last wins.
func settings(words []string, goflags string) map[string]string {
	m := map[string]string{}
	for _, f := range append(parseFlags(splitGoflags(goflags)), parseFlags(words)...) {
		m[f.name] = f.value
	}
	return m
}

// splitGoflags splits at white space; a word in single or double quotes may have
// white space in it. What is malformed gives fewer words: the go command has
// refused it before.
func splitGoflags(s string) []string {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return words
		}
		word, rest, _ := s, "", false
		if s[0] == '"' || s[0] == '\'' {
			word, rest, _ = strings.Cut(s[1:], s[:1])
		} else if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
			word, rest = s[:i], s[i:]
		}
		words, s = append(words, word), rest
	}
}
