package translate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/config"
)

// airKeys is every key of air 1.67, with the type of its value. The keys of [build.windows] and its
// like, and of [[build.rules]], are checked by their own names.
var airKeys = map[string]string{
	"root": "text", "tmp_dir": "text", "testdata_dir": "text", "env_files": "list",

	"build.pre_cmd": "list", "build.cmd": "text", "build.post_cmd": "list", "build.bin": "text",
	"build.entrypoint": "text or list", "build.full_bin": "text", "build.args_bin": "list",
	"build.log": "text", "build.include_ext": "list", "build.exclude_dir": "list", "build.include_dir": "list",
	"build.exclude_file": "list", "build.include_file": "list", "build.exclude_regex": "list",
	"build.exclude_unchanged": "bool", "build.ignore_dangerous_root_dir": "bool", "build.follow_symlink": "bool",
	"build.poll": "bool", "build.poll_interval": "int", "build.delay": "int", "build.stop_on_error": "bool",
	"build.send_interrupt": "bool", "build.kill_delay": "duration", "build.rerun": "bool", "build.rerun_delay": "int",
	"build.rules": "tables", "build.windows": "table", "build.darwin": "table", "build.linux": "table",

	"log.time": "bool", "log.main_only": "bool", "log.silent": "bool",
	"color.main": "text", "color.watcher": "text", "color.build": "text", "color.runner": "text",
	"color.mode": "text", "color.app": "text",
	"misc.clean_on_exit": "bool", "misc.startup_banner": "text",
	"screen.clear_on_rebuild": "bool", "screen.keep_scroll": "bool",
	"proxy.enabled": "bool", "proxy.proxy_port": "int", "proxy.app_port": "int", "proxy.app_start_timeout": "int",
}

// airRule is each key of a [[build.rules]].
var airRule = map[string]string{
	"name": "text", "cmd": "text", "include_dir": "list", "include_ext": "list", "include_file": "list",
	"exclude_regex": "list", "delay": "int",
}

// airWants says how a value is written.
var airWants = map[string]string{
	"text": "a string in quotes", "list": `a list of strings, like ["a", "b"]`, "bool": "true or false, without quotes",
	"int": "a number, without quotes", "duration": `a number of milliseconds, or a duration like "500ms"`,
	"text or list": "a string or a list of strings", "table": "a table", "tables": "a list of tables",
}

// check notes the keys that air does not know, which it passes over in silence, and returns those
// whose values air refuses.
func (a *airFile) check() config.Errors {
	var errs config.Errors
	for _, key := range slices.Sorted(maps.Keys(a.doc.Values)) {
		value := a.doc.Values[key]
		if table, ok := value.(map[string]any); ok && airKeys[key] == "" && airTable(key) {
			for _, inner := range slices.Sorted(maps.Keys(table)) {
				errs = append(errs, a.checkKey(key+"."+inner, table[inner])...)
			}
			continue
		}
		errs = append(errs, a.checkKey(key, value)...)
	}
	return errs
}

// airTable reports whether air has a table of that name.
func airTable(name string) bool {
	return slices.Contains([]string{"build", "log", "color", "misc", "screen", "proxy"}, name)
}

func (a *airFile) checkKey(key string, value any) config.Errors {
	want := airKeys[key]
	switch {
	case want == "" && airTable(key):
		want = "table"
	case want == "":
		why := "air has no such key, and passes over it"
		if near := config.Nearest(key, slices.Sorted(maps.Keys(airKeys))); near != "" {
			why += fmt.Sprintf("; %s may have been meant", near)
		}
		a.d.note(a.line(key), key, Unknown, why)
		return nil
	}
	if !airType(want, value) {
		return a.wrong(key, want)
	}
	var errs config.Errors
	if table, ok := value.(map[string]any); ok && key != "build" {
		for inner, v := range table { // of a system: the keys that build has, too
			if want := airKeys["build."+inner]; want != "" && !airType(want, v) {
				errs = append(errs, a.wrong(key+"."+inner, want)...)
			}
		}
	}
	for i, item := range anyList(value) {
		rule, _ := item.(map[string]any)
		for inner, v := range rule {
			if want := airRule[inner]; want != "" && !airType(want, v) {
				errs = append(errs, a.wrong(fmt.Sprintf("%s[%d].%s", key, i, inner), want)...)
			}
		}
	}
	return errs
}

// wrong is the error for a key whose value is not of the type that air wants.
func (a *airFile) wrong(key, want string) config.Errors {
	return a.d.fail(a.line(key), key+": want "+airWants[want], "air does not start with it either; put it right first")
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

// airType reports whether a value is what air's decoder takes.
func airType(want string, value any) bool {
	_, isText := value.(string)
	_, isInt := value.(int64)
	switch want {
	case "text":
		return isText
	case "bool":
		_, ok := value.(bool)
		return ok
	case "int":
		return isInt
	case "duration":
		s, _ := value.(string)
		_, err := time.ParseDuration(s)
		return isInt || isText && (err == nil || s == "")
	case "table":
		_, ok := value.(map[string]any)
		return ok
	case "text or list":
		if isText {
			return true
		}
	}
	list, ok := value.([]any)
	for _, item := range list {
		_, isText := item.(string)
		_, isTable := item.(map[string]any)
		ok = ok && (want == "tables" && isTable || want != "tables" && isText)
	}
	return ok
}

// rest is what is left: settings that are the same by default, or that devguard has nothing for.
func (a *airFile) rest() {
	a.envFiles(a.list("env_files"), "env_files")
	a.polling()
	a.needless("tmp_dir build.log", "what is built is kept below .devguard, and the errors of a build are on the terminal and in `devguard status`")
	a.needless("testdata_dir", "Go files there are no part of a program")
	a.needless("build.exclude_unchanged", "contents decide: a save of the same bytes does nothing")
	a.needless("build.ignore_dangerous_root_dir", "only what the program is built from is watched")
	a.needless("build.follow_symlink", "directories of packages are watched where symbolic links lead to")
	a.needless("build.delay", "a build starts 3 ms after the last write, and a newer save cancels it")
	a.needless("build.stop_on_error", "a build that fails never stops the running app, on purpose")
	a.needless("build.rerun_delay", "pauses after a crash grow by themselves")
	if a.on("build.rerun") {
		a.d.unsupported(a.line("build.rerun"), "build.rerun", "an app that exits with 0 has ended on purpose; one that crashes is started again (app.restart_on_crash)")
	} else {
		a.needless("build.rerun", "an app that crashes is started again, with growing pauses; restart_on_crash = false is air's way")
	}
	a.looks()
}

// others notes the keys that nothing so far was made of.
func (a *airFile) others() {
	for _, key := range slices.Sorted(maps.Keys(airKeys)) {
		if v, ok := a.lookup(key); ok && !a.d.mentions(key) {
			why := "it has no part in what is built or watched here"
			if key == "build.bin" || key == "build.entrypoint" || key == "build.full_bin" {
				why = "devguard runs what it has built"
			}
			if list, isList := v.([]any); v == "" || isList && len(list) == 0 {
				why = "empty"
			}
			a.d.needless(a.line(key), key, why)
		}
	}
}

// mentions reports whether the draft says what became of a setting.
func (d *draft) mentions(key string) bool {
	named := func(text string) bool { return slices.Contains(strings.FieldsFunc(text, notOfKey), key) }
	return slices.ContainsFunc(d.envFiles.from, named) ||
		slices.ContainsFunc(d.notes, func(n Note) bool { return named(n.Key) }) ||
		slices.ContainsFunc(d.settings, func(s setting) bool { return named(s.from) }) ||
		slices.ContainsFunc(d.hooks, func(h hook) bool { return named(h.from) })
}

// notOfKey finds what stands between the names of settings.
func notOfKey(r rune) bool { return strings.ContainsRune(" ,;:`[]()", r) }

// looks are settings of what air shows.
func (a *airFile) looks() {
	var shown []string
	for key := range airKeys {
		if strings.HasPrefix(key, "color.") || strings.HasPrefix(key, "log.") || strings.HasPrefix(key, "misc.startup") {
			shown = append(shown, key)
		}
	}
	slices.Sort(shown)
	a.needless(strings.Join(shown, " "), "devguard's lines have their own look: log_format, and -v for more of them")
	a.needless("misc.clean_on_exit", "what devguard builds it removes by itself")
	if a.on("screen.clear_on_rebuild") {
		a.d.unsupported(a.line("screen.clear_on_rebuild"), "screen.clear_on_rebuild", "devguard never clears the screen")
	} else {
		a.needless("screen.clear_on_rebuild", "devguard never clears the screen")
	}
	a.needless("screen.keep_scroll", "devguard never clears the screen")
}

// proxy makes air's proxy the front.
func (a *airFile) proxy() {
	const all = "proxy.enabled proxy.proxy_port proxy.app_port proxy.app_start_timeout"
	if !a.on("proxy.enabled") {
		a.needless(all, "air's proxy is off")
		return
	}
	listen, app := a.number("proxy.proxy_port"), a.number("proxy.app_port")
	if listen <= 0 || listen > 65535 {
		for key := range strings.FieldsSeq(all) {
			if a.has(key) {
				a.d.unsupported(a.line(key), key, "write front.listen: there is no port for the proxy")
			}
		}
		return
	}
	a.d.set("front.listen", String(fmt.Sprintf("127.0.0.1:%d", listen)), a.at("proxy.proxy_port"),
		fmt.Sprintf("air's proxy is reached by other machines, too: write \":%d\" for that", listen))
	if app > 0 && app <= 65535 {
		a.d.set("front.target", String(fmt.Sprintf("127.0.0.1:%d", app)), a.at("proxy.app_port"), "")
	}
	a.needless("proxy.enabled", "front.listen switches it on")
	a.needless("proxy.app_start_timeout", "requests wait for the app, for front.hold at most")
}

// polling sets watch.poll. air takes no interval below 500 ms.
func (a *airFile) polling() {
	if !a.on("build.poll") {
		a.needless("build.poll build.poll_interval", "devguard polls by itself where events do not arrive")
		return
	}
	every := max(time.Duration(a.number("build.poll_interval"))*time.Millisecond, 500*time.Millisecond)
	a.d.set("watch.poll", String(every.String()), a.at("build.poll"), "")
}
