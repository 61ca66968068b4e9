// Package goflags reads the flags of go build, from build.flags of the configuration and from
// GOFLAGS, as the go command does, and says what devguard can do with each.
//
// Parse and Effective never fail: what is no flag is left out. Check says what is wrong with
// build.flags; what is wrong with GOFLAGS the go command says.
package goflags

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Flag is one flag of a go command line.
type Flag struct {
	Name  string   // without dashes
	Value string   // "true" for one that stands alone and takes none
	Words []string // as it was written: one word or two. They share the memory of what was parsed
}

// Flags are flags in the order of the command line.
type Flags []Flag

// Parse reads the words of a command line, like build.flags.
func Parse(words []string) Flags {
	flags, _ := parse(words)
	return flags
}

// Effective are all the flags that the go command obeys, in its order: those of GOFLAGS come first,
// so that of several of one name the last counts.
func Effective(goflags string, words []string) Flags {
	env, err := Split(goflags)
	if err != nil {
		env = nil
	}
	var flags Flags
	for _, word := range env {
		flags = append(flags, Parse([]string{word})...) // GOFLAGS has no values in words of their own
	}
	return append(flags, Parse(words)...)
}

// Problem is what is wrong with one word of build.flags: a mistake that the go command answers
// with a message that misleads, or not at all. Its text repeats names of flags, never their values,
// which may be secrets (-ldflags=-X ...).
type Problem struct {
	At        int // index of the word
	msg, hint string
}

// Error says what is wrong, without naming the key.
func (p *Problem) Error() string { return p.msg }

// Hint says what to do next.
func (p *Problem) Hint() string { return p.hint }

// Check returns all that is wrong with build.flags, in its order.
func Check(words []string) []*Problem {
	_, problems := parse(words)
	return problems
}

func parse(words []string) (flags Flags, problems []*Problem) {
	for i := 0; i < len(words); i++ {
		at := i
		flag, p := parseWord(words[i])
		if known := table[flag.Name]; p == nil && !strings.Contains(words[i], "=") {
			switch {
			case !known.valued:
				flag.Value = "true"
			case i+1 < len(words):
				i++
				flag.Value, flag.Words = words[i], words[at:i+1:i+1]
			case known.use != Refused:
				p = &Problem{msg: "-" + flag.Name + " has no value", hint: fmt.Sprintf("write \"%s=...\"", words[at])}
			}
		}
		if p == nil {
			flags = append(flags, flag)
			p = flag.refused()
		}
		if p != nil {
			p.At = at
			problems = append(problems, p)
		}
	}
	return flags, problems
}

// parseWord reads one word that begins a flag.
func parseWord(word string) (Flag, *Problem) {
	name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
	switch {
	case !strings.HasPrefix(word, "-"), name == "", name[0] == '-':
		return Flag{}, &Problem{msg: "an element is not a flag", hint: "write packages in app.package and arguments of the app in app.args"}
	case strings.ContainsAny(name, " \t"):
		first := strings.Fields(word)[0]
		return Flag{}, &Problem{msg: fmt.Sprintf("%q and its value are one element", first), hint: fmt.Sprintf("write %q, \"...\"", first)}
	}
	return Flag{Name: name, Value: value, Words: []string{word}}, nil
}

// refused is why devguard cannot build with the flag, nil if it can.
func (f Flag) refused() *Problem {
	switch known := table[f.Name]; {
	case known.use == Refused:
		return &Problem{msg: "-" + f.Name + " cannot be used", hint: known.hint}
	case f.Name == "buildmode" && !programModes[f.Value]:
		return &Problem{msg: fmt.Sprintf("-buildmode=%s makes no program that could be run", f.Value), hint: "use default, exe or pie"}
	}
	return nil
}

// Has reports whether the flag is given, with whatever value.
func (fs Flags) Has(name string) bool {
	return slices.ContainsFunc(fs, func(f Flag) bool { return f.Name == name })
}

// Only are the flags of that name.
func (fs Flags) Only(name string) Flags {
	return slices.DeleteFunc(slices.Clone(fs), func(f Flag) bool { return f.Name != name })
}

// Without are the flags of other names.
func (fs Flags) Without(name string) Flags {
	return slices.DeleteFunc(slices.Clone(fs), func(f Flag) bool { return f.Name == name })
}

// Value is the value of the last flag of that name; "" when there is none.
func (fs Flags) Value(name string) string {
	for _, f := range slices.Backward(fs) {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// On reports whether the last flag of that name says yes.
func (fs Flags) On(name string) bool {
	on, _ := strconv.ParseBool(fs.Value(name)) // the build says what is wrong with it
	return on
}

// Tags are the build tags that -tags names.
func (fs Flags) Tags() []string {
	return strings.FieldsFunc(fs.Value("tags"), func(r rune) bool { return r == ',' || r == ' ' })
}

// Words are the flags of these uses, as they were written.
func (fs Flags) Words(uses ...Use) []string {
	var words []string
	for _, f := range fs {
		if slices.Contains(uses, table[f.Name].use) {
			words = append(words, f.Words...)
		}
	}
	return words
}

// Split splits s by the rule of GOFLAGS and of flag values: at white space; a word may be in single
// or double quotes as a whole, without escapes (cmd/internal/quoted). Its error is a quote that is
// not closed.
func Split(s string) ([]string, error) {
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
