package cmd

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// Manual is the manual page, in the macros of man(7). It is made of the help, and has neither a date nor a
// version, so that the same sources make the same page.
func Manual() string {
	var b strings.Builder
	b.WriteString(".TH DEVGUARD 1\n.SH NAME\ndevguard \\- " + roff(AppUsage) + "\n.SH SYNOPSIS\n")
	for _, v := range Verbs() {
		fmt.Fprintf(&b, ".br\n.B devguard %s\n", roff(v.Name))
		if v.Args != "" {
			b.WriteString(roff(v.Args) + "\n")
		}
	}
	b.WriteString(".SH DESCRIPTION\n" + verbatim(AppHelp))
	for _, v := range Verbs() {
		fmt.Fprintf(&b, ".SH devguard %s\n%s.\n", roff(v.Name), roff(sentence(v.Usage)))
		for _, flag := range v.Flags {
			b.WriteString(manualFlag(flag))
		}
		b.WriteString(".PP\n" + verbatim(v.Help))
	}
	b.WriteString(".SH FILES\n.TP\n.I devguard.toml\nThe configuration: here or in a parent directory, up to the root of the repository. It may be missing.\n" +
		".TP\n.I .devguard/\nWhat devguard keeps beside it; git ignores it.\n")
	return b.String()
}

// manualFlag is one flag, with its placeholder; flags of go build are in its own help.
func manualFlag(flag cli.Flag) string {
	if hidden, ok := flag.(cli.VisibleFlag); ok && !hidden.IsVisible() {
		return ""
	}
	value := ""
	if takesValue(flag) {
		value = placeholder(flag)
	}
	names := strings.ReplaceAll(dashedNames([]cli.Flag{flag}), " ", ", ")
	return fmt.Sprintf(".TP\n.B %s\n%s\n", roff(strings.TrimSpace(names+" "+value)), roff(usage(flag)))
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// verbatim keeps the lines of a text as they are.
func verbatim(text string) string {
	return ".nf\n" + roff(strings.TrimRight(text, "\n")) + "\n.fi\n"
}

// roff escapes what would be an instruction, or another character: a backslash, a hyphen that is typed, and a
// dot or an apostrophe at the beginning of a line.
func roff(s string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
