package cmd

import (
	"path"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/translate"
)

// manyGenerated is from how many directories on one hook stands for all of
// them: a guess at what is still pleasant to read.
const manyGenerated = 5

// generateHooks are one hook a directory with //go:generate lines, so that a
// change runs only what it concerns, or one for all when there are many.
func (s *survey) generateHooks() []preset {
	var dirs []string
	of := map[string]*preset{}
	for _, file := range s.generate {
		dir := path.Dir(file)
		for _, directive := range s.directives[file] {
			words := strings.Fields(directive)
			if len(words) == 0 || s.covered(words) {
				continue
			}
			if of[dir] == nil {
				dirs = append(dirs, dir)
				of[dir] = &preset{name: "go generate", from: file}
			}
			of[dir].watch = addNew(of[dir].watch, translate.Literal(file))
			s.inputs(of[dir], dir, words)
		}
	}
	const comment = "Watches the files with //go:generate lines and the files these name. Add what else the generators read."
	var all []preset
	for _, dir := range dirs {
		p := of[dir]
		home := s.above(dir, "go.mod")
		p.run, p.comment = in(home, "go generate "+goPackage(within(home, dir), dir == home)), comment
		p.watch = slices.DeleteFunc(p.watch, func(glob string) bool { return slices.Contains(p.outputs, glob) })
		all = append(all, *p)
	}
	if len(all) < manyGenerated {
		return all
	}
	return []preset{s.generateAll(all, comment)}
}

// generateAll merges hooks into one that runs each module's generators.
func (s *survey) generateAll(all []preset, comment string) preset {
	one := preset{name: "go generate", from: all[0].from, comment: comment}
	var runs []string
	for _, p := range all {
		for _, glob := range p.watch {
			one.watch = addNew(one.watch, glob)
		}
		for _, glob := range p.outputs {
			one.outputs = addNew(one.outputs, glob)
		}
		run := "go generate ./..."
		if home := s.above(path.Dir(p.from), "go.mod"); home != "." {
			run = "(" + in(home, run) + ")"
		}
		runs = addNew(runs, run)
	}
	one.run = strings.Join(runs, " && ")
	return one
}

func goPackage(rel string, same bool) string {
	if same {
		return "."
	}
	return translate.ShellWord("./" + rel)
}

// covered reports a directive that runs a tool with a hook of its own.
func (s *survey) covered(words []string) bool {
	if words[0] == "-command" {
		return true // names a command, runs none
	}
	for _, word := range words {
		word, _, _ = strings.Cut(word, "@")
		switch path.Base(word) {
		case "sqlc":
			return len(s.sqlc) > 0
		case "templ":
			return len(s.templ) > 0
		case "buf":
			return len(s.bufGen) > 0
		case "prisma", "prisma-client-go":
			return len(s.prisma) > 0
		}
	}
	return false
}

// inputs adds the files and directories that a directive names: as outputs when
// a flag like -out or -destination says so, else to what is watched. "." and
// packages that are only named are left out: the graph has them.
func (s *survey) inputs(p *preset, dir string, words []string) {
	output := false
	for _, word := range words {
		flag, value, assigned := strings.Cut(word, "=")
		isFlag := strings.HasPrefix(word, "-")
		if isFlag {
			output = outputFlag(strings.TrimLeft(flag, "-"))
			if !assigned {
				continue
			}
			word = value
		}
		word = strings.Trim(word, `"'`)
		rel := path.Join(dir, word)
		switch {
		case word == "" || outside(rel) || path.IsAbs(word) || rel == dir || rel == "." || strings.ContainsAny(word, "$*"):
		case output && s.isDir(rel):
			p.outputs = addNew(p.outputs, below(rel, "**"))
		case output && path.Ext(rel) != "":
			p.outputs = addNew(p.outputs, translate.Literal(rel))
		case output:
		case s.has(rel):
			p.watch = addNew(p.watch, translate.Literal(rel))
		case s.isDir(rel) && strings.HasPrefix(word, "."):
			p.watch = addNew(p.watch, below(rel, "**"))
		}
		output = false
	}
}

// outputFlag reports flags that generators write to by convention: mockgen's
// -destination, oapi-codegen's and stringer's -o and -output, protoc's --go_out.
func outputFlag(name string) bool {
	return name == "o" || name == "d" || name == "dst" || strings.Contains(name, "out") || strings.Contains(name, "dest")
}
