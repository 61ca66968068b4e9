package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tool is what a generator reads and writes.
type tool struct {
	words   []string // one of them stands in the command, or in the name of what make, task or npm runs
	watch   []string
	outputs []string
	exts    []string // of what is read by it alone: not by the running app
}

// generators are the tools that people run before a build. The hooks of `devguard init` without
// --from, which sees the project, are narrower.
var generators = []tool{
	{words: []string{"templ"}, watch: []string{"**/*.templ"}, outputs: []string{"**/*_templ.go"}, exts: []string{"templ"}},
	{words: []string{"sqlc"}, watch: []string{"sqlc.{yaml,yml,json}", "**/*.sql"}},
	{words: []string{"prisma"}, watch: []string{"**/*.prisma"}, exts: []string{"prisma"}},
	{words: []string{"buf", "protoc", "proto", "protos", "protobuf"}, watch: []string{"buf*.yaml", "**/*.proto"}, exts: []string{"proto"}},
	{words: []string{"gqlgen", "graphql", "gql"}, watch: []string{"gqlgen.{yml,yaml}", "**/*.{graphql,graphqls,gql}"}, exts: []string{"graphql", "graphqls", "gql"}},
	{words: []string{"swag", "swagger"}, watch: []string{"**/*.go"}, outputs: []string{"docs/docs.go"}},
	{words: []string{"esbuild", "vite", "webpack", "rollup", "tsc"}, watch: []string{"**/*.{js,jsx,ts,tsx,css,vue,svelte}"}},
	{words: []string{"tailwind", "tailwindcss", "tw", "css", "unocss", "postcss", "sass", "scss"}, watch: []string{"**/*.{html,tmpl,tpl,gohtml,templ,css,scss,js,ts,jsx,tsx}"}, exts: []string{"scss"}},
	{words: []string{"mockgen", "mockery", "stringer", "wire", "ent", "enumer"}, watch: []string{"**/*.go"}},
}

// migrators change a database.
var migrators = []string{"goose", "migrate", "migrations", "dbmate", "atlas", "tern", "flyway", "sql-migrate"}

// tokens are the words of a command by which a tool is known: "make templ-generate" has templ.
func tokens(c command) []string {
	return strings.FieldsFunc(c.text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
}

func mentions(c command, words []string) bool {
	return slices.ContainsFunc(tokens(c), func(t string) bool { return slices.Contains(words, t) })
}

// before makes hooks of commands that the other tool runs before a build; all are the globs of what
// it watches.
func (d *draft) before(commands []command, line int, key string, all []string) {
	for _, c := range commands {
		if why := trifle(c); why != "" {
			d.needless(line, fmt.Sprintf("%s `%s`", key, c.text), why)
			continue
		}
		d.hooks = append(d.hooks, ofCommand(c, at(line, key), all))
	}
}

// builtThere finds where people have air build.
var builtThere = regexp.MustCompile(`^(\./)?(tmp|bin|build|dist|out|\.air)(/|$)`)

// trifle says why a command is not worth a hook, "" when it is.
func trifle(c command) string {
	switch c.name() {
	case "echo", "printf", "clear", "cls", "true", "date", "tput":
		return "it prints, and a hook would run before each build"
	case "sleep":
		return "devguard waits for nothing but the last write"
	case "find":
		if slices.Contains(c.words, "-delete") {
			return "a generator writes over what it made"
		}
	case "mkdir", "rm", "del":
		operands := slices.DeleteFunc(slices.Clone(c.words[1:]), func(w string) bool { return strings.HasPrefix(w, "-") })
		if !slices.ContainsFunc(operands, func(w string) bool { return !builtThere.MatchString(slashes(w)) }) {
			return "what is built goes below .devguard, and is removed there"
		}
	}
	if c.is("go", "mod") || c.is("go", "get") || c.is("go", "fmt") || c.name() == "gofmt" {
		return "a build changes no files of yours; run it by hand, or on save in the editor"
	}
	if mentions(c, []string{"kill", "pkill", "killall", "fuser", "lsof"}) {
		return "devguard ends the old process tree itself, and its port with it"
	}
	return ""
}

// ofCommand is the hook that runs a command.
func ofCommand(c command, from string, all []string) hook {
	h := hook{name: hookName(c), run: c.text, from: from}
	for _, t := range generators {
		if mentions(c, t.words) {
			h.watch, h.outputs = t.watch, t.outputs
			h.why = "Check that it watches all that its generator reads."
			switch {
			case slices.Contains(t.words, "swag"):
				h.outputs = swagOutputs(c.words)
			case slices.Contains(t.words, "css"):
				h.outputs = fileOutput(c.words)
			}
			return h
		}
	}
	if mentions(c, migrators) {
		h.watch, h.migrates = []string{"**/*.sql"}, true
		h.why = "It changes a database. Take the marks off the lines below, once you know which: each change of a .sql file is applied then."
		return h
	}
	if c.is("go", "generate") {
		all = []string{"**/*.go"}
	}
	h.watch = all
	h.why = "It ran before each build. Name in watch what it reads, so that it runs for that alone."
	return h
}

// swagOutputs are what swag init writes and the build needs.
func swagOutputs(words []string) []string {
	dir := valueOf(words, "-o", "--output")
	if dir == "" {
		dir = "docs"
	}
	if dir, ok := relative(".", dir); ok && !dynamic([]string{dir}) {
		return []string{inDir(dir, "docs.go")}
	}
	return nil
}

// fileOutput is the file that a command writes by its -o.
func fileOutput(words []string) []string {
	file := valueOf(words, "-o", "--output")
	if file, ok := relative(".", file); ok && file != "." && !dynamic([]string{file}) {
		return []string{Literal(file)}
	}
	return nil
}

// valueOf is the value of the first flag with one of these names; "" when there is none.
func valueOf(words []string, names ...string) string {
	for i, w := range words {
		name, value, assigned := strings.Cut(w, "=")
		switch {
		case !slices.Contains(names, name):
		case assigned:
			return value
		case i+1 < len(words):
			return words[i+1]
		}
	}
	return ""
}

// hookName is the first words of a command, flags apart.
func hookName(c command) string {
	var name []string
	for i, w := range c.words {
		if strings.HasPrefix(w, "-") || len(name) == 2 || strings.ContainsAny(w, "$`") || i > 0 && strings.Contains(w, "...") {
			break
		}
		if w = baseName(w); i == 0 && slices.Contains([]string{"go", "npx", "make", "task", "just", "npm", "pnpm", "yarn", "bun", "sh", "bash"}, w) || w == "tool" || w == "run" {
			continue
		}
		name = append(name, w)
	}
	if len(name) == 0 {
		return c.name()
	}
	return strings.Join(name, " ")
}

// readAlone are the extensions that only generators of these hooks read: a change of such a file is
// the hook's, not the app's.
func readAlone(hooks []hook) []string {
	var exts []string
	for _, t := range generators {
		for _, h := range hooks {
			if len(t.exts) > 0 && slices.Equal(h.watch, t.watch) {
				exts = add(exts, t.exts...)
			}
		}
	}
	return exts
}

// unread are the extensions of files that a running app does not read: a build does, or a generator
// alone.
func (d *draft) unread() []string {
	return append([]string{"go", "mod", "sum", "work"}, readAlone(d.hooks)...)
}
