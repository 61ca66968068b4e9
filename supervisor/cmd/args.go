package cmd

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/translate"
)

// UsageError is a command line that cannot be meant as it is: exit code 2.
type UsageError struct {
	Msg  string
	Next string // what to type instead; may be empty
}

// Error says what is wrong.
func (e *UsageError) Error() string { return e.Msg }

// Hint says what to type instead, or is empty.
func (e *UsageError) Hint() string { return e.Next }

// SplitArgs cuts args at the first "--", before any flag parser sees it:
// parsers drop the "--", and with it whether it was there. The results share
// args' memory.
func SplitArgs(args []string) (before, after []string, hasDash bool) {
	i := slices.Index(args, "--")
	if i < 0 {
		return args, nil, false
	}
	return args[:i:i], args[i+1:], true
}

// commandLine is one command line, split by SplitArgs and parsed up to its first
// argument that is no flag.
type commandLine struct {
	before     []string // os.Args up to "--", the program's name included
	positional []string // the end of before, from the first argument that is no flag
	after      []string // what follows "--"
	hasDash    bool     // whether "--" was there
	flags      []cli.Flag
}

// one returns the only positional argument, "" when there is none. More than
// one is a UsageError with the corrected command: flags of devguard belong
// before it, everything else behind "--". what names the argument: PACKAGE.
func (l commandLine) one(what string) (string, error) {
	switch len(l.positional) {
	case 0:
		return "", nil
	case 1:
		return l.positional[0], nil
	}
	flags, rest := l.split(l.positional[1:])
	line := append([]string{"devguard"}, l.before[1:len(l.before)-len(l.positional)]...)
	line = append(append(line, flags...), l.positional[0])
	if rest = append(rest, l.after...); l.hasDash || len(rest) > 0 {
		line = append(append(line, "--"), rest...)
	}
	stray := l.positional[1]
	msg := fmt.Sprintf("%q follows %s %s, where devguard reads nothing", translate.Redact(stray), what, l.positional[0])
	if strings.HasPrefix(stray, "-") {
		msg = fmt.Sprintf("the flag %s follows %s %s, where devguard reads no flags", translate.Redact(stray), what, l.positional[0])
	}
	return "", &UsageError{Msg: msg, Next: "write: " + quote(line)}
}

// CommandAsArguments says that what looks like a command behind -- is taken for the arguments of the
// package that devguard.toml names, most often one of a directory above; "" when it is not so. Only
// the command's name is told: what follows it may be secret.
func CommandAsArguments(cfg *config.Config, flags config.Overrides) (msg, hint string) {
	if cfg.App.Package == "" || flags.Package != "" || len(flags.Args) == 0 || strings.HasPrefix(flags.Args[0], "-") {
		return "", ""
	}
	name := flags.Args[0]
	if _, err := exec.LookPath(name); err != nil {
		return "", ""
	}
	return fmt.Sprintf("%s and what follows it are arguments of %s, which %s names", name, cfg.App.Package, config.Shown(cfg.Path)),
		fmt.Sprintf("to run %s itself, write a %s with command = [%q, ...] below [app] into the directory that it belongs to", name, config.File, name)
}

// files takes the Go files that begin the positional arguments, as in `go run main.go util.go`, for
// their package; of tells it, relative to the -C directory. Files that are only a part of their
// package are a UsageError with the command that runs just them.
func (l commandLine) files(of func(files []string) (pkg string, ok bool)) (commandLine, error) {
	n := 0
	for n < len(l.positional) && strings.HasSuffix(l.positional[n], ".go") {
		n++
	}
	if n < 2 {
		return l, nil
	}
	files, rest := l.positional[:n], l.positional[n:]
	pkg, ok := of(files)
	if !ok {
		line := append([]string{"devguard"}, l.before[1:len(l.before)-len(l.positional)]...)
		line = append(append(append(line, "--", "go", "run"), files...), append(rest, l.after...)...)
		return l, &UsageError{Msg: "the files " + strings.Join(files, ", ") + " are not all of one package", Next: "write: " + quote(line)}
	}
	head := l.before[: len(l.before)-len(l.positional) : len(l.before)-len(l.positional)]
	l.positional = append([]string{pkg}, rest...)
	l.before = append(head, l.positional...)
	return l, nil
}

// split tells devguard's flags, with their values, from arguments of the app.
func (l commandLine) split(args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		name, _, assigned := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		flag := find(l.flags, name)
		if flag == nil || !strings.HasPrefix(args[i], "-") {
			rest = append(rest, args[i])
			continue
		}
		flags = append(flags, args[i])
		if takesValue(flag) && !assigned && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, rest
}

func find(flags []cli.Flag, name string) cli.Flag {
	for _, flag := range flags {
		if slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

func takesValue(flag cli.Flag) bool {
	if g, is := flag.(*cli.GenericFlag); is {
		b, is := g.Value.(interface{ IsBoolFlag() bool })
		return !is || !b.IsBoolFlag()
	}
	doc, ok := flag.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

// quote makes a line that can be pasted into a shell, passwords in URLs apart.
func quote(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = translate.ShellWord(translate.Redact(word))
	}
	return strings.Join(out, " ")
}
