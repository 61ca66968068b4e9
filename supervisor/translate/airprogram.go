package translate

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// goOnly finds expressions about names of Go files.
var goOnly = regexp.MustCompile(`\.go\$?\)?$`)

// program sets what is built and run: a package when cmd is a `go build` of what is then run, else
// a command with a hook that builds it.
func (a *airFile) program() {
	cmd := a.text("build.cmd", "go build -o ./tmp/main .")
	commands := parseAir(cmd)
	a.before(commands)
	program := a.run()
	build := slices.IndexFunc(commands, func(c command) bool { return c.is("go", "build") })
	if build < 0 {
		a.command(cmd, program, "")
		return
	}
	dir := changed(commands[:build])
	if why := a.build(commands[build], program, dir); why != "" {
		a.command(cmd, program, why)
		return
	}
	a.d.before(inPlace(commands[:build]), a.line("build.cmd"), "build.cmd", a.all())
	for _, c := range commands[build+1:] {
		a.d.unsupported(a.line("build.cmd"), fmt.Sprintf("build.cmd `%s`", c.text), "nothing is run between the build and the start; a hook runs before the build")
	}
	a.arguments(program)
}

// changed is the directory that commands change into, "" when they do not.
func changed(commands []command) (dir string) {
	for _, c := range commands {
		if c.is("cd") && len(c.words) == 2 {
			dir = path.Join(dir, slashes(c.words[1]))
		}
	}
	return dir
}

// inPlace are the commands without cd, each with the one that it needs.
func inPlace(commands []command) []command {
	var out []command
	dir := ""
	for _, c := range commands {
		if c.is("cd") && len(c.words) == 2 {
			dir = path.Join(dir, slashes(c.words[1]))
			continue
		}
		if dir != "" && dir != "." {
			c.text = "cd " + ShellWord(dir) + " && " + c.text
		}
		out = append(out, c)
	}
	return out
}

// before makes hooks of pre_cmd, and notes post_cmd.
func (a *airFile) before(build []command) {
	for _, text := range a.list("build.pre_cmd") {
		commands := parseAir(text)
		if len(commands) > 1 || len(commands) == 1 && commands[0].more != "" {
			commands = []command{whole(text, commands)}
		}
		a.d.before(commands, a.line("build.pre_cmd"), "build.pre_cmd", a.all())
	}
	for _, text := range a.list("build.post_cmd") {
		c := whole(text, parseAir(text))
		if why := trifle(c); why != "" {
			a.d.needless(a.line("build.post_cmd"), fmt.Sprintf("build.post_cmd `%s`", text), why)
			continue
		}
		a.d.unsupported(a.line("build.post_cmd"), fmt.Sprintf("build.post_cmd `%s`", text), "devguard runs nothing when it ends: write `devguard run; "+text+"`")
	}
}

// whole is a line for a shell as one command.
func whole(text string, parts []command) command {
	c := command{text: strings.TrimSpace(text)}
	for _, p := range parts {
		c.words = append(c.words, p.words...)
	}
	return c
}

// airRun is how air runs what it has built.
type airRun struct {
	key     string // the setting that counts
	command        // without what wraps it
	wrapper []string
	program string
	args    []string
}

// run reads full_bin, else entrypoint, else bin, and args_bin.
func (a *airFile) run() airRun {
	r := airRun{key: "build.bin"}
	text := a.text("build.bin", "./tmp/main")
	entry := a.list("build.entrypoint")
	switch full := a.text("build.full_bin", ""); {
	case full != "":
		r.key, text = "build.full_bin", full
	case len(entry) > 0:
		r.key, text = "build.entrypoint", shellLine([]string{slashes(entry[0])})
		r.args = append(r.args, entry[1:]...)
	}
	for _, other := range []string{"build.full_bin", "build.entrypoint", "build.bin"} {
		if other != r.key && a.text(other, "")+strings.Join(a.list(other), "") != "" {
			a.needless(other, r.key+" is what air runs")
		}
	}
	all := parseAir(text)
	for _, c := range all[:max(0, len(all)-1)] {
		if why := trifle(c); why != "" {
			a.d.needless(a.line(r.key), fmt.Sprintf("%s `%s`", r.key, c.text), why)
			continue
		}
		a.d.unsupported(a.line(r.key), fmt.Sprintf("%s `%s`", r.key, c.text), "nothing is run between the build and the start; a hook runs before the build")
	}
	if len(all) > 0 {
		r.command = inner(all[len(all)-1])[0]
	}
	r.unwrap(a)
	return r
}

// unwrap finds the program in a command line with another program before it.
func (r *airRun) unwrap(a *airFile) {
	words := r.words
	if r.more != "" {
		a.d.unsupported(a.line(r.key), r.key, fmt.Sprintf("the %q of a shell: lead the output of devguard there, as in `devguard run | jq`", r.more))
		for i, w := range words {
			if looksBuilt(w) || i == 0 {
				words = words[i : i+1]
				break
			}
		}
	}
	i := slices.IndexFunc(words, looksBuilt)
	switch {
	case len(words) == 0:
		return
	case i <= 0:
		r.program, r.args = words[0], append(slices.Clone(words[1:]), r.args...)
		return
	}
	r.program, r.wrapper = words[i], words[:i]
	r.args = append(slices.Clone(words[i+1:]), r.args...)
	switch line := shellLine(r.wrapper); {
	case r.name() == "dlv":
		a.d.unsupported(a.line(r.key), r.key, "`devguard debug` runs the app under Delve, and keeps its port over restarts")
		if dash := slices.Index(r.args, "--"); dash >= 0 {
			r.args = r.args[dash+1:]
		} else {
			r.args = nil
		}
	case r.name() == "godotenv" && len(r.wrapper) == 3 && r.wrapper[1] == "-f":
		files := strings.Split(r.wrapper[2], ",")
		a.envFiles(files, r.key)
	case r.name() == "env" && !strings.HasPrefix(r.wrapper[len(r.wrapper)-1], "-"):
		for _, w := range r.wrapper[1:] {
			if name, value, ok := strings.Cut(w, "="); ok {
				r.env = append(r.env, pair{name, value})
			}
		}
	case r.name() == "exec":
	default:
		a.d.unsupported(a.line(r.key), r.key, "nothing stands between devguard and the app: start devguard itself through it, `"+line+" devguard run`")
	}
}

// looksBuilt reports words that name what a build has written, not a program of the system.
func looksBuilt(word string) bool {
	word = slashes(word)
	return (strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") || strings.HasSuffix(word, ".exe") ||
		strings.Contains(word, "/") && !strings.HasPrefix(word, "/usr/") && !strings.HasPrefix(word, "/bin/") && !strings.HasPrefix(word, "-") && !strings.Contains(word, ":")) &&
		!strings.Contains(word, "=")
}

// arguments sets app.args, and the variables that full_bin sets.
func (a *airFile) arguments(r airRun) {
	a.d.variables(r.env, a.line(r.key), r.key)
	from, args := r.key, r.args
	if list := a.list("build.args_bin"); len(list) > 0 {
		for _, c := range parseAir(strings.Join(list, " ")) { // air joins them into one line for a shell
			args = append(args, c.words...)
		}
		from = "build.args_bin"
	}
	if dynamic(args) {
		a.d.unsupported(a.line(from), from, "arguments are passed as they are, and nothing expands the $ in them: write app.args yourself")
		return
	}
	a.d.setList("app.args", args, a.at(from), "")
}

// build sets the package that cmd builds in dir. why is what keeps it from being one.
func (a *airFile) build(c command, r airRun, dir string) (why string) {
	if c.more != "" {
		return fmt.Sprintf("the %q of a shell", c.more)
	}
	b, why := a.d.ofGo(c)
	if why != "" {
		return why
	}
	if !path.IsAbs(b.output) && b.output != "" {
		b.output = path.Join(dir, slashes(b.output))
	}
	set := a.has("build.bin") || a.has("build.full_bin") || a.has("build.entrypoint")
	if set && b.output != "" && r.program != "" && !sameFile(b.output, r.program) {
		return fmt.Sprintf("%s is not %s, which cmd builds", r.program, b.output)
	}
	b.moved(dir)
	key := "build.cmd"
	a.d.set("app.package", String(b.pkg), a.at(key), "")
	a.d.setList("build.flags", b.flags, a.at(key), "")
	for _, text := range b.notes {
		a.d.needless(a.line(key), key, text)
	}
	a.d.buildVariables(c.env, a.line(key), key)
	return ""
}

// sameFile compares what is built with what is run, whatever the system; a build into a directory
// is named after the package.
func sameFile(output, program string) bool {
	clean := func(file string) string { return strings.TrimSuffix(path.Clean(slashes(file)), ".exe") }
	return clean(output) == clean(program) || path.Dir(clean(program)) == clean(output) || path.Base(clean(output)) == path.Base(clean(program)) && (path.IsAbs(slashes(program)) || path.IsAbs(slashes(output)))
}

// command runs what another command builds: a hook builds, and its failure leaves the app alone.
func (a *airFile) command(cmd string, r airRun, why string) {
	if why == "" {
		why = "cmd is no go build that devguard could do by itself"
	} else {
		why = "devguard cannot build by itself what cmd builds: " + why
	}
	program := r.program
	if r.key != "build.full_bin" && !strings.Contains(slashes(program), "/") && program != "" {
		program = "./" + program
	}
	if program == "" {
		a.d.unsupported(a.line(r.key), r.key, "it names no program: set app.package or app.command")
		return
	}
	a.d.set("app.command", List(append([]string{slashes(program)}, r.args...)), a.at(r.key),
		why+`. If all it does is go build, take this line, watch.exclude and the hook "build" out, and write package = "./cmd/app": only what the package is made of is watched then, and the build is faster.`)
	a.d.variables(r.env, a.line(r.key), r.key)
	h := hook{name: "build", watch: a.all(), run: strings.TrimSpace(cmd), then: "restart", from: a.at("build.cmd")}
	if rel, ok := relative(".", program); ok && rel != "." && !strings.Contains(rel, "$") {
		h.outputs = []string{Literal(rel)}
	}
	a.d.hooks = append(a.d.hooks, h)
	a.arguments(airRun{key: r.key})
}

// envFiles adds to app.env_files. air passes over files that are missing, devguard does not. godotenv
// comes before env_files, which air has set when godotenv runs, and it keeps the variables that are set.
func (a *airFile) envFiles(files []string, key string) {
	var there []string
	for _, file := range files {
		file = slashes(file)
		if !path.IsAbs(file) {
			file = path.Join(a.root, file)
		}
		if a.d.facts.Exists != nil && !a.d.facts.Exists(file) {
			a.d.unsupported(a.line(key), key, file+" does not exist, which air passes over; put it into app.env_files once it does")
			continue
		}
		there = add(there, file)
	}
	a.d.readVariables(there, a.at(key))
}
