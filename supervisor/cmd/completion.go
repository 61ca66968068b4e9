package cmd

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// verbs are what completion offers first, with what each does.
var verbs = [][2]string{
	{"run", RunUsage}, {"debug", DebugUsage}, {"explain", ExplainUsage}, {"doctor", DoctorUsage},
	{"status", StatusUsage}, {"wait", WaitUsage}, {"restart", RestartUsage}, {"stop", StopUsage}, {"reset-connections", ResetUsage}, {"logs", LogsUsage},
	{"mcp", MCPUsage},
	{"init", InitUsage}, {"completion", CompletionUsage},
	{"version", VersionUsage},
	{"help", "show help"},
}

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

// talks are the verbs that ask a running devguard, with their flags.
var talks = []struct {
	verb  string
	flags []cli.Flag
}{
	{"status", TalkFlags("json")}, {"wait", TalkFlags("json", "timeout")}, {"restart", TalkFlags()}, {"stop", TalkFlags()},
	{"reset-connections", TalkFlags("json")}, {"logs", TalkFlags("json", "follow")}, {"mcp", TalkFlags()},
}

func verbNames() []string {
	var names []string
	for _, verb := range verbs {
		names = append(names, verb[0])
	}
	return names
}

// Words that the values of a flag are chosen from.
var flagWords = map[string]string{"db": "auto session transaction drain off", "log-format": "pretty text json"}

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
        --db) COMPREPLY=($(compgen -W '%s' -- "$cur")); return ;;
        --log-format) COMPREPLY=($(compgen -W '%s' -- "$cur")); return ;;
        -C|--dir) IFS=$'\n'; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        -c|--config|--from|--name|--control|--timeout|--listen) return ;;
    esac
    case ${COMP_WORDS[1]} in
        run) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- "$cur")) ;;
        debug) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- "$cur")) ;;
        doctor) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- "$cur")) ;;
        explain) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- "$cur")) ;;
        init) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- "$cur")) ;;
%s        completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")) ;;
        help) COMPREPLY=($(compgen -W '%[1]s' -- "$cur")) ;;
    esac
}
complete -o bashdefault -o default -F _devguard devguard
`, strings.Join(verbNames(), " "), flagWords["db"], flagWords["log-format"], dashedNames(RunFlags()), dashedNames(DebugFlags()), dashedNames(DoctorFlags()), dashedNames(PlaceFlags()), dashedNames(InitFlags()), bashTalks())
}

func bashTalks() string {
	var b strings.Builder
	for _, t := range talks {
		fmt.Fprintf(&b, "        %s) [[ $cur == -* ]] && COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", t.verb, dashedNames(t.flags))
	}
	return b.String()
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef devguard\n\n_devguard() {\n    local -a verbs\n    verbs=(\n")
	for _, verb := range verbs {
		fmt.Fprintf(&b, "        '%s:%s'\n", verb[0], zshText(verb[1]))
	}
	b.WriteString("    )\n    if ((CURRENT == 2)); then\n        if [[ $PREFIX == -* ]]; then compadd -- --help --version; else _describe verb verbs; fi\n        return\n    fi\n")
	b.WriteString("    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n")
	zshVerb(&b, "run", RunFlags(), "'1:package:_files -/' '*::argument:_files'")
	zshVerb(&b, "debug", DebugFlags(), "'1:package:_files -/' '*::argument:_files'")
	zshVerb(&b, "doctor", DoctorFlags(), "'1:package:_files -/' '*::argument:_files'")
	zshVerb(&b, "explain", PlaceFlags(), "'1:file:_files'")
	zshVerb(&b, "init", InitFlags(), "")
	for _, t := range talks {
		zshVerb(&b, t.verb, t.flags, "")
	}
	zshVerb(&b, "completion", nil, "'1:shell:(bash zsh fish)'")
	zshVerb(&b, "help", nil, "'1:verb:("+strings.Join(verbNames(), " ")+")'")
	b.WriteString("    esac\n}\n\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _devguard \"$@\"; else compdef _devguard devguard; fi\n")
	return b.String()
}

func zshVerb(b *strings.Builder, verb string, flags []cli.Flag, rest string) {
	fmt.Fprintf(b, "        %s)\n            _arguments -S", verb)
	for _, flag := range flags {
		names := flag.Names()
		for _, name := range names {
			fmt.Fprintf(b, " \\\n                '(%s)%s[%s]%s'", dashedNames([]cli.Flag{flag}), dashed(name), zshText(usage(flag)), zshValue(names[0]))
		}
	}
	if rest != "" {
		b.WriteString(" \\\n                " + rest)
	}
	b.WriteString("\n            ;;\n")
}

// zshValue says how the value of a flag is completed.
func zshValue(name string) string {
	switch {
	case flagWords[name] != "":
		return ":value:(" + flagWords[name] + ")"
	case name == DirFlag:
		return ":directory:_files -/"
	case name == ConfigFlag, name == FromFlag:
		return ":file:_files"
	case name == "name", name == "timeout", name == "control", name == "listen":
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
	for _, verb := range verbs {
		fmt.Fprintf(&b, "complete -c devguard -n __fish_use_subcommand -f -a %s -d %s\n", verb[0], fishText(verb[1]))
	}
	fmt.Fprintf(&b, "complete -c devguard -n __fish_use_subcommand -l version -d %s\n", fishText(VersionUsage))
	for _, flag := range DebugFlags() {
		seen := "run debug"
		switch flag.Names()[0] {
		case DirFlag:
			seen = "run debug explain doctor init"
		case ConfigFlag:
			seen = "run debug explain doctor"
		case "listen":
			seen = "debug"
		}
		fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from %s'%s -d %s\n", seen, fishFlag(flag), fishText(usage(flag)))
	}
	json := DoctorFlags()[len(PlaceFlags())]
	fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from doctor'%s -d %s\n", fishFlag(json), fishText(usage(json)))
	from := InitFlags()[1]
	fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from init'%s -d %s\n", fishFlag(from), fishText(usage(from)))
	for _, t := range talks {
		for _, flag := range t.flags {
			fmt.Fprintf(&b, "complete -c devguard -n '__fish_seen_subcommand_from %s'%s -d %s\n", t.verb, fishFlag(flag), fishText(usage(flag)))
		}
	}
	b.WriteString("complete -c devguard -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n")
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
	case flagWords[name] != "":
		fmt.Fprintf(&b, " -x -a '%s'", flagWords[name])
	case name == DirFlag:
		b.WriteString(" -x -a '(__fish_complete_directories)'")
	case name == ConfigFlag, name == FromFlag:
		b.WriteString(" -r")
	case takesValue(flag):
		b.WriteString(" -x")
	}
	return b.String()
}

func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
