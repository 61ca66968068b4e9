package cmd

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/devguard/devguard/supervisor/paths"
	"github.com/devguard/devguard/supervisor/translate"
)

// preset is one [[hook]] that init proposes.
type preset struct {
	name    string
	from    string // the file or directory it was found by
	watch   []string
	run     string
	outputs []string

	migrates bool
	comment  string // a comment above the block; for migrations, which database
}

// presets are the hooks for what was found, in the order they should run:
// generators of data models first, go generate last among them since its
// programs may read what the others wrote, migrations at the end.
func (s *survey) presets(variable string) []preset {
	var all []preset
	for _, make := range []func() []preset{s.prismaHooks, s.sqlcHooks, s.templHooks, s.bufHooks, s.generateHooks} {
		all = append(all, make()...)
	}
	all = append(all, s.migrationHooks(variable)...)
	seen := map[string]int{}
	for i := range all {
		name := all[i].name
		if seen[name]++; seen[name] > 1 {
			all[i].name = name + " " + path.Dir(all[i].from)
			if seen[all[i].name]++; seen[all[i].name] > 1 || len(all[i].name) > 64 {
				all[i].name = name + " " + strings.Repeat("I", seen[name])
			}
		}
	}
	return all
}

// in makes a command run in dir.
func in(dir, command string) string {
	if dir == "." {
		return command
	}
	return "cd " + translate.ShellWord(dir) + " && " + command
}

// below is a glob under dir.
func below(dir, glob string) string {
	if dir == "." {
		return glob
	}
	return translate.Literal(dir) + "/" + glob
}

// outside reports paths that leave the project.
func outside(rel string) bool { return paths.Climbs(rel) || path.IsAbs(rel) }

// roots are the top directories of files, with glob below each: narrow enough
// not to watch the whole tree, wide enough for new directories.
func roots(files []string, glob string) []string {
	var out []string
	for _, file := range files {
		top, _, nested := strings.Cut(file, "/")
		if !nested {
			return []string{"**/" + glob}
		}
		out = addNew(out, translate.Literal(top)+"/**/"+glob)
	}
	return out
}

// prismaOutput is where a generator block of a schema writes.
var prismaOutput = regexp.MustCompile(`(?m)^\s*output\s*=\s*"([^"]+)"`)

func (s *survey) prismaHooks() []preset {
	var all []preset
	for _, schema := range s.prisma {
		text, dir := s.read(schema), path.Dir(schema)
		p := preset{name: "prisma", from: schema, watch: []string{translate.Literal(schema)}}
		if slices.ContainsFunc(s.files, func(f string) bool {
			return f != schema && path.Ext(f) == ".prisma" && strings.HasPrefix(f, strings.TrimPrefix(dir+"/", "./"))
		}) {
			p.watch = []string{below(dir, "**/*.prisma")}
		}
		home := s.above(dir, "package.json")
		tool := "npx prisma generate"
		p.watch = append(p.watch, s.prismaConfig(home)...)
		if strings.Contains(text, "prisma-client-go") {
			home, tool = s.above(dir, "go.mod"), "go run github.com/steebchen/prisma-client-go generate"
		}
		if rel := within(home, schema); rel != "prisma/schema.prisma" && rel != "schema.prisma" {
			tool += " --schema " + translate.ShellWord(rel)
		}
		p.run = in(home, tool)
		for _, m := range prismaOutput.FindAllStringSubmatch(text, -1) {
			if out := path.Join(dir, m[1]); !outside(out) && !path.IsAbs(m[1]) && out != "." {
				p.outputs = append(p.outputs, below(out, "**"))
			}
		}
		all = append(all, p)
	}
	return all
}

// prismaConfig is the file beside package.json that Prisma reads first, as a glob.
func (s *survey) prismaConfig(home string) []string {
	for _, ext := range []string{"ts", "mjs", "js"} {
		if file := path.Join(home, "prisma.config."+ext); s.has(file) {
			return []string{translate.Literal(file)}
		}
	}
	return nil
}

// within is rel as seen from dir, which holds it.
func within(dir, rel string) string {
	if dir == "." {
		return rel
	}
	return strings.TrimPrefix(rel, dir+"/")
}

func (s *survey) sqlcHooks() []preset {
	var all []preset
	for _, file := range s.sqlc {
		dir := path.Dir(file)
		p := preset{name: "sqlc", from: file, watch: []string{translate.Literal(file)}}
		p.run = s.program("sqlc", "github.com/sqlc-dev/sqlc/cmd/sqlc") + " generate"
		if file != "sqlc.yaml" && file != "sqlc.yml" && file != "sqlc.json" {
			p.run += " -f " + translate.ShellWord(file)
		}
		values := toolConfig(s.read(file), "queries", "schema", "out", "path")
		for _, key := range []string{"schema", "queries"} {
			for _, value := range values[key] {
				if rel := path.Join(dir, value); !outside(rel) {
					p.watch = addNew(p.watch, s.sqlGlob(rel))
				}
			}
		}
		if len(p.watch) == 1 {
			p.watch = append(p.watch, below(dir, "**/*.sql"))
		}
		for _, value := range append(values["out"], values["path"]...) {
			if rel := path.Join(dir, value); !outside(rel) && rel != "." {
				p.outputs = addNew(p.outputs, below(rel, "*.go"))
			}
		}
		all = append(all, p)
	}
	return all
}

// sqlGlob is what sqlc reads for a path of its configuration: a file, the .sql
// files of a directory, or what a glob of its own matches.
func (s *survey) sqlGlob(rel string) string {
	switch {
	case s.isDir(rel):
		return below(rel, "*.sql")
	case strings.ContainsAny(rel, "*?[") && doublestar.ValidatePattern(rel):
		return rel
	}
	return translate.Literal(rel)
}

func (s *survey) templHooks() []preset {
	if len(s.templ) == 0 {
		return nil
	}
	return []preset{{
		name: "templ", from: s.templ[0], watch: roots(s.templ, "*.templ"),
		run:     s.program("templ", "github.com/a-h/templ/cmd/templ") + " generate",
		outputs: roots(s.templ, "*_templ.go"),
	}}
}

func (s *survey) bufHooks() []preset {
	var all []preset
	for _, file := range s.bufGen {
		dir := path.Dir(file)
		p := preset{name: "buf", from: file, watch: []string{translate.Literal(file)}}
		for _, name := range []string{"buf.yaml", "buf.work.yaml", "buf.lock"} {
			if s.has(path.Join(dir, name)) {
				p.watch = append(p.watch, translate.Literal(path.Join(dir, name)))
			}
		}
		var protos []string
		for _, f := range s.files {
			if path.Ext(f) == ".proto" && (dir == "." || strings.HasPrefix(f, dir+"/")) {
				protos = append(protos, within(dir, f))
			}
		}
		if len(protos) == 0 {
			protos = []string{"any.proto"}
		}
		for _, glob := range roots(protos, "*.proto") {
			p.watch = append(p.watch, below(dir, glob))
		}
		p.run = in(dir, s.program("buf", "github.com/bufbuild/buf/cmd/buf")+" generate")
		for _, value := range toolConfig(s.read(file), "out")["out"] {
			if out := path.Join(dir, value); !outside(out) && out != "." && out != dir {
				p.outputs = addNew(p.outputs, below(out, "**"))
			}
		}
		all = append(all, p)
	}
	return all
}

func (s *survey) migrationHooks(variable string) []preset {
	var all []preset
	for _, dir := range s.goose {
		all = append(all, preset{
			name: "goose", from: dir + "/", watch: []string{below(dir, "*.sql")}, migrates: true,
			run: s.program("goose", "github.com/pressly/goose/v3/cmd/goose") + " -dir " + translate.ShellWord(dir) + ` postgres "$` + variable + `" up`,
		})
	}
	for _, dir := range s.migrate {
		all = append(all, preset{
			name: "golang-migrate", from: dir + "/", watch: []string{below(dir, "*.sql")}, migrates: true,
			run: s.program("migrate", "github.com/golang-migrate/migrate/v4/cmd/migrate") + " -path " + translate.ShellWord(dir) + ` -database "$` + variable + `" up`,
		})
	}
	return all
}
