package translate

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/dotenv"
	"github.com/devguard/devguard/supervisor/paths"
)

// draft is the devguard.toml that is being made.
type draft struct {
	from  string // names the source in comments
	facts Facts

	settings []setting
	hooks    []hook
	env      []pair // of EnvFile
	envFiles envFiles
	notes    []Note
}

// envFiles is app.env_files, without EnvFile. Later ones win.
type envFiles struct {
	files []string
	from  []string // as in setting
}

// setting is one key with its value.
type setting struct {
	key   string // "app.package"
	value string // as TOML
	from  string // where it comes from: "line 5, build.cmd"
	why   string // what is to be known about it; may be empty
}

// hook is one [[hook]].
type hook struct {
	name     string
	watch    []string
	run      string
	outputs  []string
	then     string // "" is the default, rebuild
	migrates bool   // written as a comment: somebody has to read which database it would change
	from     string
	why      string
}

// order is that of the keys in the file.
var order = []string{
	"app.package", "app.command", "app.args", "app.env_files", "app.stop_signal", "app.grace", "app.stdin",
	"build.flags", "watch.include", "watch.exclude", "watch.poll", "front.listen", "front.target",
}

// at says where a setting comes from.
func at(line int, key string) string {
	if line == 0 {
		return key
	}
	return fmt.Sprintf("line %d, %s", line, key)
}

func (d *draft) set(key, value, from, why string) {
	d.unset(key)
	d.settings = append(d.settings, setting{key, value, OneLine(from), OneLine(why)})
}

func (d *draft) unset(key string) {
	d.settings = slices.DeleteFunc(d.settings, func(s setting) bool { return s.key == key })
}

func (d *draft) has(key string) bool {
	return slices.ContainsFunc(d.settings, func(s setting) bool { return s.key == key })
}

// setList sets a list that is not empty.
func (d *draft) setList(key string, list []string, from, why string) {
	if len(list) > 0 {
		d.set(key, List(list), from, why)
	}
}

// include sets watch.include, the globs of what the running app reads, unless it is the default.
func (d *draft) include(globs []string, from, why string) {
	if !slices.Equal(globs, config.Default("").Watch.Include) {
		d.set("watch.include", List(globs), from, why)
	}
}

// grace sets app.grace unless it is the default.
func (d *draft) grace(after time.Duration, from string) {
	if after > 0 && after != config.Default("").App.Grace {
		d.set("app.grace", String(after.String()), from, "")
	}
}

// variables puts variables into EnvFile. Those that a shell would have to make are notes.
func (d *draft) variables(env []pair, line int, key string) {
	for _, v := range env {
		text := variable(v)
		got, err := dotenv.ParseStrict(text)
		switch {
		case dynamic([]string{v.value}):
			d.unsupported(line, key, fmt.Sprintf("a shell would make the value of %s; write it into a file of app.env_files", v.name))
		case err != nil || got[v.name] != v.value || len(got) != 1:
			d.unsupported(line, key, fmt.Sprintf("the value of %s cannot be written into a file of variables", v.name))
		default:
			d.env = append(slices.DeleteFunc(d.env, func(old pair) bool { return old.name == v.name }), v)
		}
	}
}

// variable is a line of a file of variables.
func variable(v pair) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,@%"
	if strings.Trim(v.value, plain) == "" {
		return v.name + "=" + v.value + "\n"
	}
	return v.name + "='" + v.value + "'\n"
}

func (d *draft) envText() string {
	if len(d.env) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Variables of the app, from %s. Those of the shell that starts devguard win over them.\n", OneLine(d.from))
	for _, v := range d.env {
		b.WriteString(variable(v))
	}
	return b.String()
}

// settle makes the draft valid: what config refuses becomes a note.
func (d *draft) settle() {
	d.setEnvFiles()
	d.nameHooks()
	for i := 0; i < len(d.hooks); i++ {
		alone := draft{from: d.from, hooks: d.hooks[i : i+1]}
		if errs := alone.problems(); len(errs) > 0 {
			d.unsupported(0, d.hooks[i].from, "as a hook: "+errs[0].Msg)
			d.hooks = slices.Delete(d.hooks, i, i+1)
			i--
		}
	}
	for _, s := range slices.Clone(d.settings) {
		alone := draft{from: d.from, settings: []setting{s}}
		if errs := alone.problems(); len(errs) > 0 {
			d.unsupported(0, s.from, "as "+errs[0].Msg)
			d.unset(s.key)
		}
	}
}

// problems are what config says against the draft. Its directory does not matter.
func (d *draft) problems() config.Errors {
	_, err := config.Parse(config.File, "", "/", []byte(d.text()))
	errs, _ := err.(config.Errors)
	return errs
}

// readVariables adds files to app.env_files. They win over those that were added before.
func (d *draft) readVariables(files []string, from string) {
	if len(files) == 0 {
		return
	}
	e := &d.envFiles
	e.files = append(slices.DeleteFunc(e.files, func(file string) bool { return slices.Contains(files, file) }), files...)
	e.from = add(e.from, from)
}

// setEnvFiles sets app.env_files, EnvFile last: the variables that the other tool set for the app won
// over those of its files.
func (d *draft) setEnvFiles() {
	files := d.envFiles.files
	if len(d.env) > 0 {
		files = append(slices.Clip(files), EnvFile)
	}
	d.setList("app.env_files", files, strings.Join(d.envFiles.from, "; "), "")
}

// nameHooks gives each hook a name that config takes, and that no other has.
func (d *draft) nameHooks() {
	used := map[string]bool{}
	for i := range d.hooks {
		h := &d.hooks[i]
		base := OneLine(h.name)
		if len(base) > 40 {
			base = strings.TrimSpace(strings.ToValidUTF8(base[:40], ""))
		}
		if base == "" {
			base = "hook"
		}
		h.name = base
		for n := 2; used[h.name]; n++ {
			h.name = fmt.Sprintf("%s %d", base, n)
		}
		used[h.name] = true
	}
}

func (d *draft) head() string {
	return fmt.Sprintf(`# Made by devguard init from %s; numbers in comments are lines of that file. Every key has a default;
# config.example.toml of devguard documents them all. Paths and globs are relative to this file.
`, OneLine(d.from))
}

// text is devguard.toml.
func (d *draft) text() string {
	var b strings.Builder
	b.WriteString(d.head())
	table := ""
	for _, key := range order {
		i := slices.IndexFunc(d.settings, func(s setting) bool { return s.key == key })
		if i < 0 {
			continue
		}
		s := d.settings[i]
		in, name, _ := strings.Cut(key, ".")
		if in != table {
			table = in
			b.WriteString("\n[" + table + "]\n")
		}
		b.WriteString(s.line(name))
	}
	for _, h := range d.hooks {
		b.WriteString("\n" + h.block())
	}
	for _, part := range []struct {
		kind NoteKind
		head string
	}{
		{NotSupported, "Not translated"}, {Unknown, "No setting of that tool"}, {NotNeeded, "Not needed here"},
	} {
		if lines := noteLines(d.notes, part.kind); len(lines) > 0 {
			b.WriteString("\n# " + part.head + ":\n")
			for _, line := range lines {
				b.WriteString(comment(line))
			}
		}
	}
	return b.String()
}

func (s setting) line(name string) string {
	var b strings.Builder
	if s.why != "" {
		b.WriteString(strings.ReplaceAll(comment(s.why), "#   ", "# "))
	}
	value, more, _ := strings.Cut(s.value, "\n")
	b.WriteString(name + " = " + value)
	if s.from != "" {
		b.WriteString(" # " + s.from)
	}
	if more != "" {
		b.WriteString("\n" + more)
	}
	return b.String() + "\n"
}

func (h hook) block() string {
	var b strings.Builder
	b.WriteString("[[hook]]")
	if h.from != "" {
		b.WriteString(" # " + OneLine(h.from))
	}
	fmt.Fprintf(&b, "\nname = %s\nwatch = %s\nrun = %s\n", String(h.name), List(h.watch), String(h.run))
	if len(h.outputs) > 0 {
		fmt.Fprintf(&b, "outputs = %s\n", List(h.outputs))
	}
	if h.then != "" {
		fmt.Fprintf(&b, "then = %s\n", String(h.then))
	}
	if h.migrates {
		b.WriteString("migrates = true\n")
	}
	text := b.String()
	if h.migrates {
		text = "# " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n# ") + "\n"
	}
	if h.why != "" {
		return strings.ReplaceAll(comment(OneLine(h.why)), "#   ", "# ") + text
	}
	return text
}

// relative is a path of the other tool below its root, as devguard.toml names it; not ok for one
// outside.
func relative(root, file string) (rel string, ok bool) {
	file = slashes(file)
	if !path.IsAbs(file) {
		file = path.Join(root, file)
	}
	file = path.Clean(file)
	return file, !path.IsAbs(file) && !paths.Climbs(file)
}
