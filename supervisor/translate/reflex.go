package translate

import (
	"strings"
	"time"
)

// reflexFlags are the flags of reflex 0.3: the letter, or none, and whether they take a value.
var reflexFlags = map[string]struct {
	letter string
	takes  bool
}{
	"regex": {"r", true}, "inverse-regex": {"R", true}, "glob": {"g", true}, "inverse-glob": {"G", true},
	"start-service": {"s", false}, "shutdown-timeout": {"t", true}, "decoration": {"d", true}, "sequential": {"e", false},
	"verbose": {"v", false}, "config": {"c", true}, "substitute": {"", true}, "all": {"", false},
	"only-files": {"", false}, "only-dirs": {"", false},
}

func reflexFlag(name string) (long string, takes, ok bool) {
	for long, f := range reflexFlags {
		if name == long || name == f.letter && name != "" {
			return long, f.takes, true
		}
	}
	return "", false, false
}

// reflex translates a reflex.conf, each line of which is a command line, or the command line of
// reflex itself.
func (d *draft) reflex(text string) error {
	lines, numbers := joined(text)
	served := false
	for i, line := range lines {
		if err := d.reflexLine(line, numbers[i], &served); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		return d.fail(0, "has no line with a command", "name a reflex.conf, or write the command line of reflex")
	}
	return nil
}

func (d *draft) reflexLine(line string, number int, served *bool) error {
	whole := wholeLine(line)
	opts, rest, unknown := options(afterTool(whole, "reflex"), true, reflexFlag)
	if unknown != "" {
		return d.fail(number, "reflex has no flag "+unknown, "put it right first; reflex -h lists them")
	}
	s := service{line: number, key: "reflex", from: at(number, "reflex")}
	start, positive := false, 0
	for _, o := range opts {
		switch o.name {
		case "regex", "glob":
			if positive++; positive > 1 {
				d.unsupported(number, "-"+o.name[:1], "a second pattern narrows the first, which globs cannot say: "+o.value)
				continue
			}
			s.watch = d.reflexGlobs(o, number)
		case "inverse-regex", "inverse-glob":
			s.exclude = add(s.exclude, d.reflexGlobs(o, number)...)
		case "start-service":
			start = o.value != "false"
		case "shutdown-timeout":
			if after, err := time.ParseDuration(o.value); err == nil && start {
				d.grace(after, at(number, "-t"))
			}
		case "config":
			return d.fail(number, "the lines are in "+o.value, "translate that: devguard init --from "+o.value)
		case "decoration", "verbose":
			d.needless(number, "--"+o.name, "the app's output is not touched")
		case "sequential":
			d.needless(number, "--"+o.name, "hooks never run beside each other or a build")
		default:
			d.unsupported(number, "--"+o.name, "devguard has nothing like it")
		}
	}
	s.all = len(s.watch) == 0
	c := command{words: rest, text: shellLine(rest)}
	switch {
	case !start:
		d.reflexHook(s, c)
	case *served:
		d.unsupported(number, "reflex `"+c.text+"`", "a second service: each app has a devguard of its own, with another --name")
	default:
		*served = true
		s.commands = inner(c)
		d.serve(s)
	}
	return nil
}

// reflexHook is a command that reflex runs for changes, beside whatever else runs.
func (d *draft) reflexHook(s service, c command) {
	switch {
	case len(c.words) == 0:
		d.unsupported(s.line, "reflex", "it names no command")
	case strings.Contains(c.text, "{}"):
		d.unsupported(s.line, "reflex `"+c.text+"`", "a hook has no {}: it finds the changed files in DEVGUARD_CHANGED")
	default:
		h := ofCommand(c, s.from, s.globs())
		h.watch, h.why = s.globs(), ""
		if !h.migrates {
			h.then = "none"
		}
		d.hooks = append(d.hooks, h)
		if len(s.exclude) > 0 {
			d.unsupported(s.line, s.key+" without "+strings.Join(s.exclude, ", "), noExceptions)
		}
	}
}

func (d *draft) reflexGlobs(o option, number int) []string {
	if strings.HasSuffix(o.name, "glob") {
		return []string{slashes(o.value)}
	}
	globs, ok := ofRegex(o.value)
	if !ok {
		d.unsupported(number, "--"+o.name, o.value+" cannot be said in globs: see watch.include and watch.exclude")
		return nil
	}
	return globs
}

// wholeLine are the words of a line that no shell has split: what a shell would do with pipes and
// the like stays in the words.
func wholeLine(line string) []string {
	var words []string
	for _, c := range parseShell(line) {
		for _, v := range c.env {
			words = append(words, v.name+"="+v.value)
		}
		words = append(words, c.words...)
	}
	return words
}
