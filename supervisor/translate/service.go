package translate

import (
	"path"
	"slices"
	"strings"
)

// noExceptions is why what another tool leaves out of its watching may not be left out here.
const noExceptions = "a hook's watch has no exceptions: narrow its globs where it runs too often"

// service is what reflex, wgo and nodemon start and start again: commands, the last of which goes on
// running.
type service struct {
	line     int
	key      string
	commands []command
	dir      string // that the commands run in; "" is where devguard.toml is

	// watch are the globs that a change has to match. With all, every file counts, and watch is empty.
	watch   []string
	all     bool
	exclude []string
	from    string // of watch
}

// serve translates a service: a package when `go run`, or `go build` and its program, end it; else a
// command.
func (d *draft) serve(s service) {
	s.commands = slices.DeleteFunc(s.commands, func(c command) bool { return len(c.words) == 0 })
	if len(s.commands) == 0 {
		d.unsupported(s.line, s.key, "it starts nothing: set app.package or app.command")
		return
	}
	n := len(s.commands) - 1
	last := s.commands[n]
	if b, ok := d.goService(&s, last); ok {
		b.moved(s.dir)
		d.set("app.package", String(b.pkg), at(s.line, s.key), "")
		d.setList("build.flags", b.flags, at(s.line, s.key), "")
		d.setList("app.args", b.args, at(s.line, s.key), "")
		for _, text := range b.notes {
			d.needless(s.line, s.key, text)
		}
		d.variables(last.env, s.line, s.key)
		d.before(s.commands[:len(s.commands)-1], s.line, s.key, s.globs())
		d.readBy(s)
		return
	}
	d.commandService(s, last)
}

// goService reads the package that a service is built from, and takes the commands that build it
// off s, up to the last, which runs it.
func (d *draft) goService(s *service, last command) (b goBuild, ok bool) {
	n := len(s.commands) - 1
	if last.more != "" {
		return b, false
	}
	if last.is("go", "run") {
		b, why := d.ofGo(last)
		return b, why == "" && !dynamic(b.args)
	}
	if n == 0 || !s.commands[n-1].is("go", "build") || s.commands[n-1].more != "" || dynamic(last.words) {
		return b, false
	}
	b, why := d.ofGo(s.commands[n-1])
	if why != "" || b.output != "" && !sameFile(b.output, last.words[0]) || b.output == "" && !looksBuilt(last.words[0]) {
		return b, false
	}
	d.buildVariables(s.commands[n-1].env, s.line, s.key)
	b.args = last.words[1:]
	s.commands = append(slices.Clone(s.commands[:n-1]), last)
	return b, true
}

// globs are for all that the service is started again for.
func (s service) globs() []string {
	if s.all {
		return []string{"**/*"}
	}
	return merged(s.watch)
}

// readBy sets what a package's running app reads.
func (d *draft) readBy(s service) {
	if s.all {
		return // the default is what a running app reads
	}
	unread := d.unread()
	read := slices.DeleteFunc(slices.Clone(s.watch), func(glob string) bool {
		return slices.Contains(unread, strings.TrimPrefix(path.Ext(glob), "."))
	})
	d.include(merged(read), s.from, "")
	var exclude []string
	for _, glob := range s.exclude {
		switch {
		case path.Ext(glob) == ".go":
			d.needless(s.line, s.key+" without "+glob, goExcluded)
		case len(read) == 0:
			d.needless(s.line, s.key+" without "+glob, "nothing is watched but what the program is built from")
		default:
			exclude = add(exclude, glob)
		}
	}
	d.setList("watch.exclude", exclude, s.from, "")
}

// commandService sets a command, with the hooks that make what it needs.
func (d *draft) commandService(s service, last command) {
	words, from := last.words, at(s.line, s.key)
	if last.more != "" || last.expands != "" {
		words = []string{"sh", "-c", last.text}
	} else {
		d.variables(last.env, s.line, s.key)
	}
	d.set("app.command", List(words), from, "")
	builds := false
	for _, c := range s.commands[:len(s.commands)-1] {
		n := len(d.hooks)
		if d.before([]command{c}, s.line, s.key, s.globs()); len(d.hooks) > n {
			d.hooks[n].then, builds = "restart", true
		}
	}
	switch {
	case s.all && !builds:
		d.setList("watch.exclude", s.exclude, s.from, "")
		return
	case !builds:
		d.hooks = append(d.hooks, hook{
			name: "restart", watch: s.globs(), run: "true", then: "restart", from: s.from,
			why: "Does nothing, but has the app restarted for these files alone.",
		})
	}
	d.set("watch.exclude", List([]string{"**"}), "", "The hooks say what to watch; without this line every file of the tree does that git does not ignore.")
	if len(s.exclude) > 0 {
		d.unsupported(s.line, s.key+" without "+strings.Join(s.exclude, ", "), noExceptions)
	}
}
