package build

import (
	"errors"
	"fmt"
	"strings"
)

// option is one flag of a go command line.
type option struct {
	name  string   // without dashes
	value string   // "" if none
	args  []string // the words it was written in
}

// valued are the build flags whose value may be the next word (`go help
// build`); every other flag has its value after "=" or none.
var valued = map[string]bool{
	"C": true, "o": true, "p": true, "asmflags": true, "buildmode": true, "compiler": true, "covermode": true,
	"coverpkg": true, "gccgoflags": true, "gcflags": true, "installsuffix": true, "ldflags": true, "mod": true,
	"modfile": true, "overlay": true, "pgo": true, "pkgdir": true, "tags": true, "toolexec": true,
}

// refused are the flags that devguard cannot work with, and why.
var refused = map[string]string{
	"o":    "devguard chooses where the binary goes",
	"C":    "use devguard's own -C to choose the directory",
	"n":    "it builds nothing",
	"json": "devguard reads the compiler's plain messages",
	"h":    "it builds nothing",
	"help": "it builds nothing",
}

// CheckFlags reports what is wrong with go build flags of the user, if
// anything: flags that devguard cannot work with, words that are no flags. Flags
// that the go command does not know are its own to refuse.
func CheckFlags(flags []string) error {
	opts, err := parseFlags(flags)
	if err != nil {
		return err
	}
	for _, o := range opts {
		if why, ok := refused[o.name]; ok {
			return fmt.Errorf("build.flags: -%s cannot be used: %s", o.name, why)
		}
		if o.name == "buildmode" && o.value != "default" && o.value != "exe" && o.value != "pie" {
			return fmt.Errorf("build.flags: -buildmode=%s makes no program that could be run; use default, exe or pie", o.value)
		}
	}
	return nil
}

func parseFlags(flags []string) ([]option, error) {
	var opts []option
	for i := 0; i < len(flags); i++ {
		o, err := parseFlag(flags[i])
		if err != nil {
			return nil, err
		}
		if valued[o.name] && !strings.Contains(flags[i], "=") {
			i++
			if i == len(flags) {
				return nil, fmt.Errorf("build.flags: -%s needs a value", o.name)
			}
			o.value, o.args = flags[i], append(o.args, flags[i])
		}
		opts = append(opts, o)
	}
	return opts, nil
}

func parseFlag(word string) (option, error) {
	name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
	switch {
	case !strings.HasPrefix(word, "-") || name == "":
		return option{}, fmt.Errorf("build.flags: %q is not a flag; the package to build is app.package", word)
	case strings.ContainsAny(name, " \t"):
		flag, rest, _ := strings.Cut(word, " ")
		return option{}, fmt.Errorf("build.flags: %q is two words; write %q, %q", word, flag, strings.TrimSpace(rest))
	}
	return option{name: name, value: value, args: []string{word}}, nil
}

// arguments is the command line of the build: -buildvcs=false unless the user
// set it, -w put before the user's ldflags, then the user's other flags.
func arguments(r Request, goflags string) ([]string, error) {
	if err := CheckFlags(r.Flags); err != nil {
		return nil, err
	}
	flags, err := parseFlags(r.Flags)
	if err != nil {
		return nil, err
	}
	env := parseGoflags(goflags)
	args := []string{"build"}
	if !has(env, "buildvcs") && !has(flags, "buildvcs") {
		args = append(args, "-buildvcs=false")
	}
	args = append(args, linkFlags(env, flags)...)
	if r.Progress != nil {
		args = append(args, "-v")
	}
	for _, o := range flags {
		if o.name != "ldflags" {
			args = append(args, o.args...)
		}
	}
	return append(args, "-o", r.Out, r.pkg()), nil
}

// linkFlags returns the -ldflags to pass. -w leaves out DWARF, a third of the
// time of a link; it comes first, so that the user's -w=false wins.
//
// The go command uses the last -ldflags that matches the package, and our own on
// the command line would hide those of GOFLAGS: so all are passed, in the go
// command's order, each plain one with -w before it. A `pattern=value` one is
// passed as it is. One that begins with neither a dash nor a pattern is wrong,
// and the go command says so.
func linkFlags(env, flags []option) []string {
	var args []string
	plain := false
	for _, o := range append(env[:len(env):len(env)], flags...) {
		if o.name != "ldflags" {
			continue
		}
		v := strings.TrimSpace(o.value)
		if v == "" || strings.HasPrefix(v, "-") {
			plain, v = true, strings.TrimSpace("-w "+v)
		}
		args = append(args, "-ldflags="+v)
	}
	if !plain {
		args = append([]string{"-ldflags=-w"}, args...)
	}
	return args
}

// namesPackages reports whether the user asks for the names of the packages as
// they are compiled.
func namesPackages(flags []string, goflags string) bool {
	opts, _ := parseFlags(flags) // arguments says what is wrong with them
	return has(opts, "v") || has(parseGoflags(goflags), "v")
}

func has(opts []option, name string) bool {
	for _, o := range opts {
		if o.name == name {
			return true
		}
	}
	return false
}

// parseGoflags is lenient: what is wrong with GOFLAGS the go command says
// better.
func parseGoflags(goflags string) []option {
	words, err := splitQuoted(goflags)
	if err != nil {
		return nil
	}
	var opts []option
	for _, w := range words {
		if o, err := parseFlag(w); err == nil {
			opts = append(opts, o)
		}
	}
	return opts
}

// splitQuoted splits s by the rule of GOFLAGS and of flag values: at white
// space; a word may be in single or double quotes as a whole, without escapes
// (cmd/internal/quoted).
func splitQuoted(s string) ([]string, error) {
	const space = " \t\r\n"
	var words []string
	for s = strings.TrimLeft(s, space); s != ""; s = strings.TrimLeft(s, space) {
		if s[0] == '"' || s[0] == '\'' {
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return nil, errors.New("unterminated " + s[:1] + " string")
			}
			words, s = append(words, s[1:1+end]), s[end+2:]
			continue
		}
		end := strings.IndexAny(s, space)
		if end < 0 {
			end = len(s)
		}
		words, s = append(words, s[:end]), s[end:]
	}
	return words, nil
}
