package translate

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/config"
)

// airFile is an .air.toml, with air's defaults.
type airFile struct {
	d   *draft
	doc *config.Document

	root    string   // relative to devguard.toml
	exts    []string // include_ext
	dirs    []string // include_dir, below root
	exclude []string // directories, below root
}

// air translates an .air.toml. The rules are those of air 1.67 (its runner/config.go and engine.go).
func (d *draft) air(data []byte) error {
	doc, err := config.ReadDocument(d.from, data, "air cannot read it either; put that line right first")
	if err != nil {
		return err
	}
	a := &airFile{d: d, doc: doc}
	if errs := a.check(); len(errs) > 0 {
		return errs
	}
	a.overrides()
	a.roots()
	a.watched()
	a.program()
	a.rules()
	a.stopping()
	a.proxy()
	a.files()
	a.rest()
	a.others()
	return nil
}

// line is where a key stands.
func (a *airFile) line(key string) int { return a.doc.Line(key) }

// at says where a key stands; "air's default" for one that does not.
func (a *airFile) at(key string) string {
	if !a.has(key) {
		return "air's default"
	}
	return at(a.line(key), key)
}

func (a *airFile) lookup(key string) (any, bool) {
	var v any = a.doc.Values
	for part := range strings.SplitSeq(key, ".") {
		table, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = table[part]; !ok {
			return nil, false
		}
	}
	return v, true
}

func (a *airFile) has(key string) bool {
	_, ok := a.lookup(key)
	return ok
}

// text is a string that is not empty, else air's default.
func (a *airFile) text(key, otherwise string) string {
	if v, _ := a.lookup(key); v != nil {
		if s, _ := v.(string); s != "" {
			return s
		}
	}
	return otherwise
}

// list is a list of strings; an absent one is air's default, since air takes an empty list for a
// value.
func (a *airFile) list(key string, otherwise ...string) []string {
	v, ok := a.lookup(key)
	if !ok {
		return otherwise
	}
	return stringList(v)
}

func (a *airFile) on(key string) bool {
	v, _ := a.lookup(key)
	on, _ := v.(bool)
	return on
}

func (a *airFile) number(key string) int64 {
	v, _ := a.lookup(key)
	n, _ := v.(int64)
	return n
}

func stringList(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = []string{v} // entrypoint may be one
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// overrides puts the settings for this system, like [build.linux], over those of [build].
func (a *airFile) overrides() {
	for _, system := range []string{"windows", "darwin", "linux"} {
		v, ok := a.lookup("build." + system)
		table, _ := v.(map[string]any)
		if !ok {
			continue
		}
		if system != a.d.facts.GOOS {
			a.d.needless(a.line("build."+system), "build."+system, "for another system than this; devguard.toml has no parts for one")
			continue
		}
		build, _ := a.doc.Values["build"].(map[string]any)
		for key, value := range table {
			if s, isText := value.(string); !isText || s != "" {
				build[key] = value
			}
		}
	}
}

// roots reads where air works and what it never looks at.
func (a *airFile) roots() {
	a.root = "."
	if rel, ok := relative(".", slashes(a.text("root", "."))); ok {
		a.root = rel
		a.needless("root", "paths are relative to devguard.toml")
	} else {
		a.d.unsupported(a.line("root"), "root", "it is outside of this directory: write devguard.toml there")
	}
	for _, dir := range append(slices.Clone(a.list("build.exclude_dir", airExcludes...)), a.text("tmp_dir", airDirs["tmp_dir"]), a.text("testdata_dir", airDirs["testdata_dir"])) {
		dir = strings.TrimSuffix(strings.TrimSpace(dir), "/")
		if rel, ok := relative(a.root, dir); ok && rel != a.root && dir != "" {
			a.exclude = add(a.exclude, rel)
		}
	}
}

// watched reads what air watches, apart from what it leaves out.
func (a *airFile) watched() {
	for _, ext := range a.list("build.include_ext", "go", "tpl", "tmpl", "html") {
		if ext = strings.TrimPrefix(strings.TrimSpace(ext), "."); ext != "" && !strings.Contains(ext, "/") {
			a.exts = add(a.exts, ext)
		}
	}
	for _, dir := range a.list("build.include_dir") {
		if rel, ok := relative(a.root, strings.TrimSpace(dir)); ok {
			a.dirs = add(a.dirs, rel)
		} else if dir != "" {
			a.d.unsupported(a.line("build.include_dir"), "build.include_dir", dir+" is outside of this directory; packages there that the app imports are watched all the same")
		}
	}
	if len(a.dirs) == 0 {
		a.dirs = []string{a.root}
	}
}

// needless notes keys that are set, with one reason.
func (a *airFile) needless(keys, why string) {
	for key := range strings.FieldsSeq(keys) {
		if a.has(key) {
			a.d.needless(a.line(key), key, why)
		}
	}
}

// all are globs for all that air watches.
func (a *airFile) all() []string {
	globs := below(a.dirs, a.exts)
	for _, file := range a.includeFiles() {
		globs = add(globs, Literal(file))
	}
	return globs
}

func (a *airFile) includeFiles() []string {
	var files []string
	for _, file := range a.list("build.include_file") {
		if rel, ok := relative(a.root, file); ok && rel != "." {
			files = add(files, rel)
		}
	}
	return files
}

// files sets what the running app reads, and what of that is left out.
func (a *airFile) files() {
	if a.d.has("app.command") {
		a.d.set("watch.exclude", List([]string{"**"}), "", `The hook "build" says what to watch; without this line every file of the tree does that git does not ignore.`)
		for _, key := range []string{"build.exclude_dir", "build.exclude_file", "build.exclude_regex"} {
			if len(a.list(key)) > 0 {
				a.d.unsupported(a.line(key), key, noExceptions)
			}
		}
		return
	}
	unread := a.d.unread()
	if a.fronted() {
		unread = append(unread, reloaded...)
	}
	exts := slices.DeleteFunc(slices.Clone(a.exts), func(ext string) bool { return slices.Contains(unread, ext) })
	globs := below(a.dirs, exts)
	for _, file := range a.includeFiles() {
		ext := strings.TrimPrefix(path.Ext(file), ".")
		switch {
		case ext == "go":
			a.d.needless(a.line("build.include_file"), "build.include_file", file+" is watched when it is part of the program")
		case a.fronted() && slices.Contains(reloaded, ext):
			a.d.needless(a.line("build.include_file"), "build.include_file", file+": pages take it anew (front.reload), and the app is not restarted")
		case !slices.Contains(exts, ext) || len(a.list("build.include_dir")) > 0:
			globs = add(globs, Literal(file))
		}
	}
	if !slices.Contains(a.exts, "go") && !slices.Contains(a.exts, "*") {
		a.d.unsupported(a.line("build.include_ext"), "build.include_ext", "without go: Go files of the program are always watched")
	}
	a.include(globs)
	if len(globs) == 0 && !a.fronted() {
		a.needless("build.exclude_dir build.exclude_file", "nothing is watched but what the program is built from")
		return
	}
	a.leaveOut(a.excluded(len(globs) > 0 || a.fronted()))
}

// reloaded are the extensions of front.reload's default.
var reloaded = []string{"css", "js"}

// fronted reports whether there is a front, by way of which pages take such files.
func (a *airFile) fronted() bool { return a.d.has("front.listen") }

// include sets watch.include, and says what of include_ext is not in it.
func (a *airFile) include(globs []string) {
	from := a.at("build.include_ext")
	if len(a.list("build.include_dir")) > 0 {
		from += "; " + a.at("build.include_dir")
	}
	if len(a.includeFiles()) > 0 {
		from += "; " + a.at("build.include_file")
	}
	var why []string
	if a.has("build.include_ext") && slices.Contains(a.exts, "go") {
		why = append(why, "Without go: the Go files of the program are always watched.")
	}
	if a.fronted() {
		why = append(why, a.ofFront()...)
	}
	a.d.include(globs, from, strings.Join(why, " "))
	if !a.d.has("watch.include") {
		a.needless("build.include_ext", "the default of watch.include")
	}
}

// ofFront says what becomes of files that pages fetch by way of the front.
func (a *airFile) ofFront() []string {
	shown := slices.DeleteFunc(slices.Clone(a.exts), func(ext string) bool { return !slices.Contains(reloaded, ext) })
	switch {
	case slices.Contains(a.exts, "*"):
		return []string{"A change of a stylesheet or script restarts the app, since these globs match it: name extensions here, and pages take it anew instead (front.reload)."}
	case len(shown) > 0:
		return []string{"Without " + strings.Join(shown, ", ") + ": the front has pages take them anew (front.reload), and the app is not restarted."}
	}
	return nil
}

// leaveOut sets watch.exclude, and says what of exclude_dir is not in it.
func (a *airFile) leaveOut(globs []string) {
	listed, from := a.list("build.exclude_dir", airExcludes...), a.at("build.exclude_dir")
	for _, key := range []string{"tmp_dir", "testdata_dir"} {
		dir := a.text(key, airDirs[key])
		rel, _ := relative(a.root, dir)
		switch {
		case slices.Contains(listed, dir), !slices.Contains(globs, Literal(rel)+"/**"):
		case a.has(key):
			from += "; " + a.at(key)
		default:
			from += "; " + dir + " is air's default of " + key
		}
	}
	never := slices.DeleteFunc(slices.Clone(listed), func(dir string) bool { return !neverLookedAt(dir) })
	why := ""
	if len(never) > 0 {
		why = "devguard ignores " + strings.Join(never, ", ") + " by itself"
	}
	if len(globs) == 0 && why != "" {
		a.needless("build.exclude_dir", why)
		return
	}
	a.d.setList("watch.exclude", globs, from, why)
}

// airDirs are air's defaults of keys that name a directory.
var airDirs = map[string]string{"tmp_dir": "tmp", "testdata_dir": "testdata"}

// airExcludes is air's default of exclude_dir.
var airExcludes = []string{"assets", "tmp", "vendor", "testdata"}

// neverLookedAt reports whether devguard never looks into directories of that name.
func neverLookedAt(dir string) bool {
	return slices.Contains([]string{".git", ".hg", ".svn", ".devguard", "node_modules"}, path.Base(strings.TrimSuffix(strings.TrimSpace(dir), "/")))
}

// excluded are the globs of what air leaves out; of expressions only when anything is watched that is
// not built.
func (a *airFile) excluded(watched bool) []string {
	var out []string
	for _, dir := range a.exclude {
		switch {
		case neverLookedAt(dir):
			continue
		case !slices.ContainsFunc(a.dirs, func(in string) bool { return in == "." || dir == in || strings.HasPrefix(dir, in+"/") }):
			continue // not below what is watched
		}
		out = add(out, Literal(dir)+"/**")
	}
	for _, file := range a.list("build.exclude_file") {
		if rel, ok := relative(a.root, file); ok && path.Ext(rel) != ".go" {
			out = add(out, rel)
		} else if ok {
			a.d.needless(a.line("build.exclude_file"), "build.exclude_file", goExcluded)
		}
	}
	for _, expr := range a.list("build.exclude_regex") {
		of, ok := ofRegex(expr)
		switch {
		case ok && !slices.ContainsFunc(of, func(glob string) bool { return path.Ext(glob) != ".go" }), goOnly.MatchString(expr):
			a.d.needless(a.line("build.exclude_regex"), "build.exclude_regex", goExcluded)
		case ok && watched:
			out = add(out, of...)
		case watched:
			a.d.unsupported(a.line("build.exclude_regex"), "build.exclude_regex", fmt.Sprintf("%q cannot be said in globs: see watch.exclude", expr))
		}
	}
	return out
}

const goExcluded = "devguard watches only the Go files that the program is built from (no tests), and each of these"

// stopping sets how the app is asked to end.
func (a *airFile) stopping() {
	delay := time.Duration(a.number("build.kill_delay"))
	if s := a.text("build.kill_delay", ""); s != "" {
		delay, _ = time.ParseDuration(s)
	}
	if delay < time.Millisecond {
		delay *= time.Duration(time.Millisecond) // air takes a bare number for milliseconds
	}
	if !a.on("build.send_interrupt") {
		a.needless("build.send_interrupt build.kill_delay", `air kills at once; here the app gets SIGTERM, and app.grace (5s) to end; stop_signal = "SIGKILL" is air's way`)
		return
	}
	a.d.set("app.stop_signal", String("SIGINT"), a.at("build.send_interrupt"), "")
	if delay > 0 {
		a.d.grace(delay, a.at("build.kill_delay"))
		if delay == config.Default("").App.Grace {
			a.needless("build.kill_delay", "the default of app.grace")
		}
		return
	}
	a.needless("build.kill_delay", "none: air's interrupt is followed by a kill at once; here app.grace is 5s")
}

// rules are air's [[build.rules]]: commands for files of their own.
func (a *airFile) rules() {
	v, _ := a.lookup("build.rules")
	list, _ := v.([]any)
	for i, item := range list {
		rule, _ := item.(map[string]any)
		key := fmt.Sprintf("build.rules[%d]", i)
		get := func(name string) string { s, _ := rule[name].(string); return s }
		if get("cmd") == "" {
			a.d.unsupported(a.line(key), "build.rules", "it has no cmd")
			continue
		}
		var dirs, exts []string
		for _, dir := range stringList(rule["include_dir"]) {
			if rel, ok := relative(a.root, dir); ok {
				dirs = add(dirs, rel)
			}
		}
		for _, ext := range stringList(rule["include_ext"]) {
			exts = add(exts, strings.TrimSpace(ext))
		}
		h := hook{name: get("name"), run: get("cmd"), then: "none", from: at(a.line(key), "build.rules")}
		for _, file := range stringList(rule["include_file"]) {
			if rel, ok := relative(a.root, file); ok {
				h.watch = add(h.watch, Literal(rel))
			}
		}
		if len(exts)+len(h.watch) == 0 {
			exts = []string{"*"}
		}
		h.watch = append(below(dirs, exts), h.watch...)
		if h.name == "" {
			h.name = fmt.Sprintf("rule %d", i)
		}
		if len(stringList(rule["exclude_regex"])) > 0 {
			a.d.unsupported(a.line(key), key+".exclude_regex", noExceptions)
		}
		a.d.hooks = append(a.d.hooks, h)
	}
}
