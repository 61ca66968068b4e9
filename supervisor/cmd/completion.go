package cmd

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpVerb is the verb that cli adds.
var helpVerb = Verb{Name: "help", Usage: "show help"}

// completed are the verbs that completion offers.
func completed() []Verb { return append(Verbs(), helpVerb) }

// Completion returns the completion script for a shell. It is text of ours
// because cli's own completes no values, no directories, and asks the program
// on each Tab.
func Completion(shell string) (string, error) {
	switch shell {
	case "bash":
		return bashCompletion(), nil
	case "zsh":
		return zshCompletion(), nil
	case "fish":
		return fishCompletion(), nil
	}
	return "", &UsageError{Msg: fmt.Sprintf("there are no completions for %q", shell), Next: "write one of bash, zsh, fish"}
}

func verbNames() []string {
	var names []string
	for _, verb := range completed() {
		names = append(names, verb.Name)
	}
	return names
}

// choices are the words that an argument of a verb is chosen from, if it is.
func (v Verb) choices() []string {
	switch {
	case v.Name == helpVerb.Name:
		return verbNames()
	case strings.Contains(v.Args, "|") && !strings.Contains(v.Args, " "):
		return strings.Split(v.Args, "|")
	}
	return nil
}

// flagWords are the words that the value of a flag is chosen from, as its placeholder has them; ""
// when it is not.
func flagWords(flag cli.Flag) string {
	if words := placeholder(flag); strings.Contains(words, "|") {
		return strings.ReplaceAll(words, "|", " ")
	}
	return ""
}

// placeholder is what stands between backquotes in a flag's help, in place of its value; "" when
// nothing does.
func placeholder(flag cli.Flag) string {
	doc, ok := flag.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	_, rest, _ := strings.Cut(doc.GetUsage(), "`")
	if value, _, closed := strings.Cut(rest, "`"); closed {
		return value
	}
	return ""
}

// dashed writes a flag's name as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func dashedNames(flags []cli.Flag) string {
	var names []string
	for _, flag := range flags {
		for _, name := range flag.Names() {
			names = append(names, dashed(name))
		}
	}
	return strings.Join(names, " ")
}

func bashCompletion() string {
	return fmt.Sprintf(`# devguard completion for bash (3.2 and later)
_devguard() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i
    local IFS=$' \t\n'
    COMPREPLY=()
    # --db=drain arrives as three words
    if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    if ((COMP_CWORD == 1)); then
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W '--help --version' -- "$cur")) || COMPREPLY=($(compgen -W '%s' -- "$cur"))
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && return
    done
    case $prev in
%s    esac
    case ${COMP_WORDS[1]} in
%s    esac
}
complete -o bashdefault -o default -F _devguard devguard
`, strings.Join(verbNames(), " "), bashValues(), bashVerbs())
}

// bashValues complete the value of a flag.
func bashValues() string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, verb := range completed() {
		for _, flag := range verb.Flags {
			names := strings.ReplaceAll(dashedNames([]cli.Flag{flag}), " ", "|")
			if seen[names] || !takesValue(flag) {
				continue
			}
			seen[names] = true
			switch words := flagWords(flag); {
			case words != "":
				fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", names, words)
			case flag.Names()[0] == DirFlag:
				fmt.Fprintf(&b, "        %s) IFS=$'\\n'; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", names)
			default:
				fmt.Fprintf(&b, "        %s) return ;;\n", names)
			}
		}
	}
	return b.String()
}

func bashVerbs() string {
	var b strings.Builder
	for _, verb := range completed() {
		if words := verb.choices(); words != nil {
			fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", verb.Name, strings.Join(words, " "))
		} else if verb.Flags != nil {
			fmt.Fprintf(&b, "        %s) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", verb.Name, dashedNames(verb.Flags))
		}
	}
	return b.String()
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef devguard\n\n_devguard() {\n    local -a verbs\n    verbs=(\n")
	for _, verb := range completed() {
		fmt.Fprintf(&b, "        '%s:%s'\n", verb.Name, zshText(verb.Usage))
	}
	b.WriteString("    )\n    if ((CURRENT == 2)); then\n        if [[ $PREFIX == -* ]]; then compadd -- --help --version; else _describe verb verbs; fi\n        return\n    fi\n")
	b.WriteString("    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n")
	for _, verb := range completed() {
		zshVerb(&b, verb)
	}
	b.WriteString("    esac\n}\n\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _devguard \"$@\"; else compdef _devguard devguard; fi\n")
	return b.String()
}

func zshVerb(b *strings.Builder, verb Verb) {
	fmt.Fprintf(b, "        %s)\n            _arguments -S", verb.Name)
	for _, flag := range verb.Flags {
		for _, name := range flag.Names() {
			fmt.Fprintf(b, " \\\n                '(%s)%s[%s]%s'", dashedNames([]cli.Flag{flag}), dashed(name), zshText(usage(flag)), zshValue(flag))
		}
	}
	if rest := zshArguments(verb); rest != "" {
		b.WriteString(" \\\n                " + rest)
	}
	b.WriteString("\n            ;;\n")
}

// zshArguments says how the arguments of a verb are completed.
func zshArguments(verb Verb) string {
	words := verb.choices()
	switch {
	case words != nil:
		return "'1:word:(" + strings.Join(words, " ") + ")'"
	case strings.Contains(verb.Args, PackageArg):
		return "'1:package:_files -/' '*::argument:_files'"
	case strings.HasSuffix(verb.Args, " "+FileArg):
		return "'1:file:_files'"
	}
	return ""
}

// zshValue says how the value of a flag is completed.
func zshValue(flag cli.Flag) string {
	switch name := flag.Names()[0]; {
	case flagWords(flag) != "":
		return ":value:(" + flagWords(flag) + ")"
	case name == DirFlag:
		return ":directory:_files -/"
	case name == configFlag, name == FromFlag:
		return ":file:_files"
	case takesValue(flag):
		return ":" + name + ": "
	}
	return ""
}

// usage is a flag's help without the marks around the placeholder.
func usage(flag cli.Flag) string {
	doc, ok := flag.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	return strings.ReplaceAll(doc.GetUsage(), "`", "")
}

// zshText escapes what means something inside '...[...]:...'.
func zshText(s string) string {
	return strings.NewReplacer("'", `'\''`, ":", `\:`, "[", `\[`, "]", `\]`).Replace(s)
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# devguard completion for fish\n")
	for _, verb := range completed() {
		fmt.Fprintf(&b, "complete -c devguard -n __fish_use_subcommand -f -a %s -d %s\n", verb.Name, fishText(verb.Usage))
	}
	fmt.Fprintf(&b, "complete -c devguard -n __fish_use_subcommand -l version -d %s\n", fishText(VersionUsage))
	of := map[string][]string{} // the verbs that have a flag
	var flags []string
	for _, verb := range completed() {
		for _, flag := range verb.Flags {
			text := fmt.Sprintf("%s -d %s", fishFlag(flag), fishText(usage(flag)))
			if of[text] == nil {
				flags = append(flags, text)
			}
			of[text] = append(of[text], verb.Name)
		}
		if words := verb.choices(); words != nil {
			fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", verb.Name, strings.Join(words, " "))
		}
	}
	for _, text := range flags {
		fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from %s'%s\n", strings.Join(of[text], " "), text)
	}
	return b.String()
}

func fishFlag(flag cli.Flag) string {
	var b strings.Builder
	for _, name := range flag.Names() {
		if len(name) == 1 {
			b.WriteString(" -s " + name)
		} else {
			b.WriteString(" -l " + name)
		}
	}
	switch name := flag.Names()[0]; {
	case flagWords(flag) != "":
		fmt.Fprintf(&b, " -x -a '%s'", flagWords(flag))
	case name == DirFlag:
		b.WriteString(" -x -a '(__fish_complete_directories)'")
	case name == configFlag, name == FromFlag:
		b.WriteString(" -r")
	case takesValue(flag):
		b.WriteString(" -x")
	}
	return b.String()
}

func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
