package translate

import (
	"slices"
	"strings"
	"time"
)

// wgoFlags are the flags of wgo 0.7; true for those with a value.
var wgoFlags = map[string]bool{
	"file": true, "xfile": true, "dir": true, "xdir": true, "cd": true, "root": true, "exit": false,
	"stdin": false, "verbose": false, "debounce": true, "postpone": false, "poll": true,
}

func wgoFlag(name string) (long string, takes, ok bool) {
	takes, ok = wgoFlags[name]
	return name, takes, ok
}

// wgo translates a command line of wgo.
func (d *draft) wgo(text string) error {
	lines, numbers := joined(text)
	for i, line := range lines {
		if i > 0 {
			d.unsupported(numbers[i], line, "a second command line: each app has a devguard of its own, with another --name")
			continue
		}
		words := afterTool(wholeLine(line), "wgo")
		for n, part := range wgoParts(words) {
			d.wgoPart(part, numbers[i], n > 0)
		}
	}
	return nil
}

// wgoParts splits a command line at ":: wgo", from where commands run beside each other.
func wgoParts(words []string) [][]string {
	parts := [][]string{nil}
	for i := 0; i < len(words); i++ {
		if words[i] == "::" && i+1 < len(words) && words[i+1] == "wgo" {
			parts, i = append(parts, nil), i+1
			continue
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], words[i])
	}
	return parts
}

func (d *draft) wgoPart(words []string, number int, beside bool) {
	s := service{line: number, key: "wgo", from: at(number, "wgo")}
	run := len(words) > 0 && words[0] == "run"
	if run {
		words, s.watch = words[1:], []string{"**/*.go"}
	}
	opts, rest, build := wgoOptions(words, run)
	var dirs []string
	for _, o := range opts {
		switch o.name {
		case "file":
			s.watch = add(s.watch, d.wgoGlobs(o, number)...)
		case "xfile":
			s.exclude = add(s.exclude, d.wgoGlobs(o, number)...)
		case "xdir":
			for _, glob := range d.wgoGlobs(o, number) {
				s.exclude = add(s.exclude, strings.TrimSuffix(glob, "/**")+"/**")
			}
		case "dir":
			dirs = append(dirs, o.value)
		case "cd":
			s.dir = slashes(o.value)
		case "stdin":
			d.set("app.stdin", "true", at(number, "-stdin"), "")
		case "poll":
			if every, err := time.ParseDuration(o.value); err == nil && every > 0 {
				d.set("watch.poll", String(every.String()), at(number, "-poll"), "")
			}
		case "debounce", "verbose":
			d.needless(number, "-"+o.name, "a build starts 3 ms after the last write; -v says what is ignored")
		case "root":
			d.needless(number, "-root", "packages outside that the app imports are watched by themselves")
		default:
			d.unsupported(number, "-"+o.name, "devguard has nothing like it")
		}
	}
	s.watch = d.wgoDirs(s.watch, dirs, number)
	s.all = len(s.watch) == 0
	if run {
		rest = slices.Concat([]string{"go", "run"}, build, rest)
	}
	d.wgoServe(s, rest, beside)
}

// wgoOptions reads the flags of wgo; with `wgo run` those of go build stand among them.
func wgoOptions(words []string, run bool) (opts []option, rest, build []string) {
	for {
		more, left, unknown := options(words, false, wgoFlag)
		opts = append(opts, more...)
		if unknown == "" {
			return opts, left, build
		}
		flag := words[len(words)-len(left)-1]
		if !run {
			return opts, append([]string{flag}, left...), build
		}
		b := goBuild{}
		dir := ""
		after := b.readFlags(append([]string{flag}, left[:min(1, len(left))]...), &dir)
		taken := min(1+min(1, len(left))-len(after), 1+len(left))
		if taken <= 0 {
			return opts, left, build
		}
		build, words = append(build, append([]string{flag}, left...)[:taken]...), left[taken-1:]
	}
}

func (d *draft) wgoServe(s service, words []string, beside bool) {
	for part := range splitWords(words, "::") {
		s.commands = append(s.commands, inner(command{words: part, text: shellLine(part)})...)
	}
	if beside {
		var texts []string
		for _, c := range s.commands {
			texts = append(texts, c.text)
		}
		d.reflexHook(s, command{words: words, text: strings.Join(texts, " && ")})
		return
	}
	d.serve(s)
	if s.dir != "" && s.dir != "." {
		d.unsupported(s.line, "-cd", "the app runs where devguard is started: start it there with -C "+ShellWord(s.dir))
	}
}

// splitWords yields the words between separators.
func splitWords(words []string, sep string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			i := slices.Index(words, sep)
			if i < 0 {
				yield(words)
				return
			}
			if !yield(words[:i]) {
				return
			}
			words = words[i+1:]
		}
	}
}

// wgoDirs puts globs below the directories that -dir names.
func (d *draft) wgoDirs(globs, dirs []string, number int) []string {
	if len(dirs) == 0 {
		return globs
	}
	if len(globs) == 0 {
		globs = []string{"**/*"}
	}
	var out []string
	for _, dir := range dirs {
		name := strings.Trim(dir, "^$/")
		if name == "" || strings.ContainsAny(name, `\.*+?()[]{}|^$`) {
			d.unsupported(number, "-dir", dir+" is no name of a directory")
			return globs
		}
		for _, glob := range globs {
			if !strings.HasPrefix(glob, "**/") {
				d.unsupported(number, "-dir", "beside a -file with directories")
				return globs
			}
			out = add(out, inDir(name, glob))
		}
	}
	return out
}

// wgoGlobs are the globs of a -file or -xfile. A dot before a letter is a dot there.
func (d *draft) wgoGlobs(o option, number int) []string {
	globs, ok := ofRegex(o.value)
	if !ok {
		d.unsupported(number, "-"+o.name, o.value+" cannot be said in globs: see watch.include and watch.exclude")
	}
	return globs
}
