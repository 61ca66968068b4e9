package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
)

// nodemonNeedless and nodemonUnsupported are settings of nodemon 3 with nothing here, and why.
var (
	nodemonNeedless = map[string]string{
		"delay": "a restart begins 3 ms after the last write", "verbose": "-v says what is ignored",
		"quiet": "log_format and -v say how much devguard says", "colours": "log_format says how devguard's lines look",
		"restartable": "key r restarts", "ignoreRoot": "what git ignores is not watched, and neither is node_modules",
		"legacyWatch":     "devguard polls by itself where events do not arrive: see watch.poll",
		"watchOptions":    "devguard polls by itself where events do not arrive: see watch.poll",
		"pollingInterval": "see watch.poll", "stdin": "see app.stdin", "stdout": "the app's output is not touched",
		"dump": "it only shows what nodemon has read", "exitCrash": "see app.restart_on_crash", "spawn": "the app is a process tree of its own",
		"update-notifier": "devguard asks nobody for updates", "no-update-notifier": "devguard asks nobody for updates",
	}
	nodemonUnsupported = map[string]string{
		"execMap": "write the program into app.command", "events": "write a [[hook]] for what is to be run",
		"runOnChangeOnly": "devguard starts the app at once", "cwd": "start devguard there with -C", "nodeArgs": "write them into app.command",
		"script": "write it into app.command", "args": "write them into app.args",
	}
)

// nodemonFile translates a nodemon.json, or the nodemonConfig of a package.json.
func (d *draft) nodemonFile(data []byte) error {
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		line := 0
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			line = lineAt(data, syntax.Offset)
		}
		return d.fail(line, "is no JSON object: "+err.Error(), "nodemon cannot read it either; put it right first")
	}
	if inner, ok := values["nodemonConfig"]; ok {
		table, isTable := inner.(map[string]any)
		if !isTable {
			return d.fail(jsonLine(data, "nodemonConfig"), "nodemonConfig is no object", "put it right first")
		}
		if script, ok := values["main"].(string); ok && table["script"] == nil && table["exec"] == nil {
			table["script"] = script
		}
		values = table
	} else if values["scripts"] != nil || values["dependencies"] != nil {
		return d.fail(0, "has no nodemonConfig", "for a command line of nodemon among its scripts: echo 'nodemon ...' | devguard init --from -")
	}
	return d.nodemon(values, func(key string) int { return jsonLine(data, key) })
}

// lineAt is the line of an offset, from 1.
func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:max(0, min(offset, int64(len(data))))], []byte("\n"))
}

// jsonLine is the first line with a key of that name; 0 if there is none.
func jsonLine(data []byte, key string) int {
	quoted, _ := json.Marshal(key)
	i := bytes.Index(data, quoted)
	if i < 0 {
		return 0
	}
	return lineAt(data, int64(i))
}

// nodemon translates settings, named as in nodemon.json.
func (d *draft) nodemon(values map[string]any, line func(key string) int) error {
	list := func(key string) []string {
		if s, ok := values[key].(string); ok {
			return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
		}
		return stringList(values[key])
	}
	text := func(key string) string { s, _ := values[key].(string); return strings.TrimSpace(s) }
	exec := text("exec")
	if exec == "" && text("script") != "" {
		exec = "node " + text("script")
	}
	s := service{line: line("exec"), key: "exec", commands: parseShell(exec), exclude: nodemonIgnored(list("ignore"))}
	for i := range s.commands {
		s.commands[i] = locallyInstalled(s.commands[i])
	}
	s.watch = nodemonWatched(list("watch"), list("ext"), exec)
	var from []string
	for _, key := range []string{"watch", "ext", "ignore"} {
		if values[key] != nil {
			from = append(from, at(line(key), key))
		}
	}
	if s.from = strings.Join(from, "; "); s.from == "" {
		s.from = "nodemon's default"
	}
	d.nodemonEnv(values["env"], line("env"))
	if signal := text("signal"); signal != "" && signal != "SIGTERM" && signal != "SIGUSR2" {
		d.set("app.stop_signal", String(signal), at(line("signal"), "signal"), "")
	}
	if exec == "" {
		d.unsupported(0, "exec", `it does not say what to run: write command = ["node", "server.js"] below [app]`)
	} else {
		d.serve(s)
	}
	d.nodemonRest(values, line)
	return nil
}

// nodemonWatched are the globs of nodemon's watch and ext.
func nodemonWatched(watch, exts []string, exec string) []string {
	for i, ext := range exts {
		exts[i] = strings.TrimPrefix(strings.TrimPrefix(ext, "*"), ".")
	}
	if len(exts) == 0 {
		exts = []string{"js", "mjs", "cjs", "json"}
		if strings.HasPrefix(exec, "ts-node") || strings.HasSuffix(exec, ".ts") {
			exts = []string{"ts", "json"}
		}
	}
	if slices.Contains(exts, "") {
		exts = []string{"*"}
	}
	var globs, dirs []string
	for _, w := range watch {
		switch w = strings.TrimSuffix(slashes(w), "/"); {
		case strings.HasPrefix(w, "!"):
		case strings.ContainsAny(w, "*{?["):
			if strings.HasSuffix(w, "*.*") || strings.HasSuffix(w, "/*") || strings.HasSuffix(w, "**") {
				w = path.Dir(w)
				dirs = add(dirs, strings.TrimSuffix(w, "/**"))
				continue
			}
			globs = add(globs, path.Clean(w))
		case path.Ext(w) != "" && path.Base(w) != w[max(0, len(w)-len(path.Ext(w))):]:
			globs = add(globs, Literal(path.Clean(w)))
		default:
			dirs = add(dirs, path.Clean(w))
		}
	}
	if len(dirs) == 0 && len(globs) > 0 {
		return globs
	}
	var all []string
	for _, ext := range exts { // each its own, so that Go files can be told apart
		all = append(all, below(dirs, []string{ext})...)
	}
	return append(all, globs...)
}

// nodemonIgnored are the globs of nodemon's ignore, without those that devguard never looks at.
func nodemonIgnored(ignore []string) []string {
	var globs []string
	for _, g := range ignore {
		g = strings.TrimSuffix(strings.TrimPrefix(slashes(g), "./"), "/")
		if strings.Contains(g, "node_modules") || strings.Contains(g, ".git") || g == "" || strings.HasPrefix(g, "!") {
			continue
		}
		switch {
		case !strings.ContainsAny(g, "*?[{") && path.Ext(g) == "":
			g = Literal(path.Clean(g)) + "/**"
		case !strings.Contains(g, "/"):
			g = "**/" + g
		}
		globs = add(globs, g)
	}
	return globs
}

// locallyInstalled has npx find a program that npm scripts find by themselves.
func locallyInstalled(c command) command {
	known := []string{"ts-node", "tsx", "babel-node", "swc-node", "tsc", "esbuild", "vite", "next", "nest", "webpack"}
	if len(c.words) > 0 && slices.Contains(known, c.words[0]) {
		c.words = append([]string{"npx"}, c.words...)
		c.text = "npx " + c.text
	}
	return c
}

func (d *draft) nodemonEnv(v any, line int) {
	table, _ := v.(map[string]any)
	var env []pair
	for _, name := range slices.Sorted(maps.Keys(table)) {
		env = append(env, pair{name, fmt.Sprint(table[name])})
	}
	d.variables(env, line, "env")
}

func (d *draft) nodemonRest(values map[string]any, line func(key string) int) {
	used := []string{"exec", "watch", "ext", "ignore", "env", "signal", "nodemonConfig"}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch needless, unsupported := nodemonNeedless[key], nodemonUnsupported[key]; {
		case needless != "":
			d.needless(line(key), key, needless)
		case key == "script" && values["exec"] == nil:
		case unsupported != "":
			d.unsupported(line(key), key, unsupported)
		case !slices.Contains(used, key):
			why := "nodemon has no such setting"
			if near := config.Nearest(key, slices.Concat(used, slices.Sorted(maps.Keys(nodemonNeedless)))); near != "" {
				why += "; " + near + " may have been meant"
			}
			d.note(line(key), key, Unknown, why)
		case !d.mentions(key) && key != "env":
			d.needless(line(key), key, "devguard does the same by default")
		}
	}
}

// nodemonFlags are the flags of nodemon by letter, as nodemon.json names them.
var nodemonFlags = map[string]string{
	"w": "watch", "e": "ext", "i": "ignore", "x": "exec", "s": "signal", "d": "delay", "V": "verbose", "q": "quiet",
	"L": "legacyWatch", "legacy-watch": "legacyWatch", "I": "stdin", "C": "runOnChangeOnly", "on-change-only": "runOnChangeOnly",
	"polling-interval": "pollingInterval", "P": "pollingInterval", "cwd": "cwd", "exitcrash": "exitCrash", "dump": "dump", "spawn": "spawn",
	"no-update-notifier": "no-update-notifier", "no-colours": "colours", "no-stdin": "stdin",
}

func nodemonFlag(name string) (long string, takes, ok bool) {
	if long = nodemonFlags[name]; long == "" {
		long = name
	}
	takes = slices.Contains([]string{"watch", "ext", "ignore", "exec", "signal", "delay", "pollingInterval", "cwd", "config"}, long)
	_, needless := nodemonNeedless[long]
	return long, takes, takes || needless || nodemonUnsupported[long] != ""
}

// nodemonLine translates a command line of nodemon.
func (d *draft) nodemonLine(text string) error {
	lines, numbers := joined(text)
	if len(lines) == 0 {
		return d.fail(0, "has no line with a command", "write the command line of nodemon")
	}
	words := afterTool(wholeLine(lines[0]), "nodemon")
	values := map[string]any{}
	for len(words) > 0 {
		opts, rest, unknown := options(words, false, nodemonFlag)
		if unknown != "" {
			return d.fail(numbers[0], "nodemon has no flag "+unknown, "put it right first; nodemon --help lists them")
		}
		for _, o := range opts {
			switch old, _ := values[o.name].([]any); o.name {
			case "watch", "ignore":
				values[o.name] = append(old, o.value)
			case "ext", "exec", "signal":
				values[o.name] = o.value
			default:
				values[o.name] = true
			}
		}
		if words = rest; len(rest) == 0 {
			break
		}
		if exec, ok := values["exec"].(string); ok {
			values["exec"] = exec + " " + shellLine(rest)
			break
		}
		// What is no flag is the script, and flags of nodemon may follow it.
		values["script"] = rest[0]
		if words = rest[1:]; len(words) > 0 && !strings.HasPrefix(words[0], "-") {
			values["script"], words = shellLine(rest), nil
		}
	}
	return d.nodemon(values, func(string) int { return numbers[0] })
}
