package watch

import (
	"path/filepath"
	"slices"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/paths"
)

// Plan says what to watch.
type Plan struct {
	Rules *classify.Rules // with Ignored nil git is asked, if there is one

	// Walk are directory trees that are searched in the background for the files that Rules.Include
	// names, or in command mode for all files.
	Walk []string

	// GitDir is where git keeps the state of the work tree, see the function GitDir; "" if there is no
	// repository.
	GitDir string

	// Header returns the digest of what the graph depends on in a source file: package clause,
	// imports, build constraints, embed lines, what C includes. Nil: the digest of the whole file.
	Header func(name string, src []byte) change.Digest
}

// dirs returns the directories to watch, and why.
func (p *Plan) dirs() map[string]dirKind {
	out := map[string]dirKind{}
	add := func(path string, kind dirKind) { out[filepath.Clean(path)] |= kind }
	if g := p.Rules.Graph; g != nil {
		for path := range g.Dirs {
			add(path, listed)
		}
		for _, r := range g.Roots {
			add(r, chained)
			add(filepath.Join(r, "vendor"), chained)
		}
		for name, role := range g.Files {
			if role == classify.Module {
				add(filepath.Dir(name), chained)
				continue
			}
			add(filepath.Dir(name), listed)
		}
	}
	if p.Rules.Config != "" {
		add(filepath.Dir(p.Rules.Config), chained)
	}
	for _, f := range p.envFiles() {
		add(filepath.Dir(f), chained)
	}
	if p.GitDir != "" {
		add(p.GitDir, gitDir)
	}
	p.hookDirs(add)
	p.chain(out)
	return out
}

func (p *Plan) hookDirs(add func(string, dirKind)) {
	for _, h := range p.Rules.Hooks {
		for _, glob := range h.Watch {
			dir, _ := p.Rules.Split(glob)
			add(dir, listed)
		}
		for _, glob := range h.Outputs {
			dir, _ := p.Rules.Split(glob)
			add(dir, chained)
		}
	}
}

func (p *Plan) envFiles() []string {
	out := make([]string, 0, len(p.Rules.EnvFiles))
	for _, f := range p.Rules.EnvFiles {
		if !filepath.IsAbs(f) {
			f = filepath.Join(p.Rules.Base, f)
		}
		out = append(out, filepath.Clean(f))
	}
	return out
}

// chain adds the directories on the way to each one, from the module root or base that it is in:
// inotify tells when a watched directory is moved, but not when one above it is.
func (p *Plan) chain(dirs map[string]dirKind) {
	tops := []string{filepath.Clean(p.Rules.Base)}
	if g := p.Rules.Graph; g != nil {
		tops = append(tops, g.Roots...)
	}
	for d, kind := range dirs {
		if kind == gitDir {
			continue
		}
		top := ""
		for _, t := range tops {
			if paths.Within(d, t) && (top == "" || len(t) < len(top)) {
				top = t
			}
		}
		for top != "" && d != top {
			d = filepath.Dir(d)
			dirs[d] |= chained
		}
	}
}

// known returns files that are looked at even if no directory listing has shown them.
func (p *Plan) known() []string {
	out := p.envFiles()
	if p.Rules.Config != "" {
		out = append(out, filepath.Clean(p.Rules.Config))
	}
	if g := p.Rules.Graph; g != nil {
		for name := range g.Files {
			out = append(out, name)
		}
		for _, r := range g.Roots { // the go command heeds them as soon as they are there
			for _, name := range []string{"go.mod", "go.sum", "go.work", "vendor/modules.txt"} {
				if path := filepath.Join(r, filepath.FromSlash(name)); p.Rules.Classify(path).Role == classify.Module {
					out = append(out, path)
				}
			}
		}
	}
	return out
}

// sameWalk reports whether a walk would find the same files for both plans.
func (p *Plan) sameWalk(q *Plan) bool {
	return q.Rules != nil && slices.Equal(p.Walk, q.Walk) && p.Rules.Base == q.Rules.Base &&
		p.Rules.Command == q.Rules.Command &&
		slices.Equal(p.Rules.Include, q.Rules.Include) && slices.Equal(p.Rules.Assets, q.Rules.Assets) && slices.Equal(p.Rules.Exclude, q.Rules.Exclude)
}
