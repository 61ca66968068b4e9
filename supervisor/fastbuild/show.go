package fastbuild

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"

	"github.com/devguard/devguard/supervisor/paths"
)

// Directories returns the first elements, below base, of the archives that the plan links.
func (p *Plan) Directories(base string) []string {
	found := map[string]bool{}
	for _, archive := range p.archives {
		rel, ok := paths.Rel(base, archive)
		if !ok {
			continue
		}
		for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
			rel = dir
		}
		found[rel] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// JSON is the plan for whoever looks for the cause of a difference. The environment is not in it: it
// may have secrets.
func (p *Plan) JSON() []byte {
	type shown struct {
		Path, Dir, Archive string
		Local              bool
		Compile            []string
		Blocked            *Refusal `json:",omitempty"`
	}
	out := struct {
		Link     []string
		Settings []string
		Packages []shown
	}{Link: append([]string{p.link.tool}, p.link.args...), Settings: p.linkCfg}
	for _, pkg := range p.packages {
		out.Packages = append(out.Packages, shown{pkg.Path, pkg.Dir, p.archives[pkg.Path], pkg.Local, append([]string{pkg.compile.tool}, pkg.compile.args...), pkg.Blocked})
	}
	text, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		panic("BUG: a plan that is no JSON: " + err.Error())
	}
	return text
}
