package fastbuild

import "path/filepath"

// Edit is what differs between a tree and the one that a plan is of.
type Edit struct {
	Sources []Source       // Go files that are compiled, sorted by name
	Others  []Difference   // whatever else, sorted by name
	seen    map[input]seen // all inputs, as they are now
}

// Source is a Go file with other contents than before.
type Source struct {
	Name  string
	Shape Shape
}

// Difference is an input that is not what it was and is no Go source of the program.
type Difference struct {
	Name string
	Kind Kind // NotCompiled or FilesCame
}

// Steps are what an edit asks for.
type Steps struct {
	Compile map[string]bool // import paths of the packages with an edited source, or embedded file
	plan    *Plan           // with what the sources import now
}

// Decide says how to build an edited tree, or why only the go command may. Whatever is not known to
// leave the go command's view of the program as it was is a refusal.
func (p *Plan) Decide(e Edit) (Steps, *Refusal) {
	steps := Steps{map[string]bool{}, p}
	for _, other := range e.Others {
		if refused := p.embed(steps, other); refused != nil {
			return Steps{}, refused
		}
	}
	if len(e.Sources)+len(e.Others) == 0 {
		return Steps{}, refuse(Unchanged, "")
	}
	owners := p.owners()
	for _, src := range e.Sources {
		switch pkg := owners[src.Name]; {
		case pkg == nil:
			return Steps{}, refuse(NotCompiled, src.Name)
		case pkg.Blocked != nil:
			return Steps{}, pkg.Blocked
		default:
			steps.Compile[pkg.Path] = true
		}
	}
	var refused *Refusal
	if steps.plan, refused = p.importing(e.Sources, owners); refused != nil {
		return Steps{}, refused
	}
	for _, src := range e.Sources {
		if kind, yes := src.Shape.differs(p.shape(src.Name)); yes {
			return Steps{}, refuse(kind, src.Name)
		}
	}
	return steps, nil
}

// embed has the packages compiled that embed a file with other contents: the compiler copies it, and
// the go command only looks where it is. Of one that may also be something else, that is not known.
func (p *Plan) embed(steps Steps, d Difference) *Refusal {
	refused := refuse(d.Kind, d.Name)
	if d.Kind != NotCompiled || matters(filepath.Base(d.Name)) {
		return refused
	}
	for _, pkg := range p.packages {
		if !pkg.Local || !pkg.embed.has(d.Name) {
			continue
		}
		if pkg.Blocked != nil {
			return pkg.Blocked
		}
		steps.Compile[pkg.Path], refused = true, nil
	}
	return refused
}

// About says why an edit of a file is left to the go command whatever it changes; nil when an edit of
// function bodies is not.
func (p *Plan) About(file string) *Refusal {
	if pkg := p.owners()[file]; pkg != nil {
		return pkg.Blocked
	}
	return p.embed(Steps{map[string]bool{}, p}, Difference{file, NotCompiled})
}

// owners are the packages that may be edited, by the names of their sources.
func (p *Plan) owners() map[string]*Package {
	all := map[string]*Package{}
	for _, pkg := range p.packages {
		if pkg.Local {
			for _, name := range pkg.Files {
				all[name] = pkg
			}
		}
	}
	return all
}

// after returns the plan of the tree that an edit has led to; archives are those of all packages.
func (p *Plan) after(e Edit, archives map[string]string) *Plan {
	next := *p
	next.archives, next.inputs = archives, e.seen
	return &next
}
