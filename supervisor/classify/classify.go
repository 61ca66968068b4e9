package classify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Classify says what a change of the file asks for. The path is absolute, and named as the go
// command names it.
func (r *Rules) Classify(path string) Class {
	path = filepath.Clean(path)
	var c Class
	var reasons []string
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }

	if path == r.Config && r.Config != "" {
		c.Config = true
		say("the configuration")
	}
	if r.isEnv(path) {
		c.Env = true
		say("an env file in use")
	}
	known := r.ofGraph(path, &c, say)
	if !known && temporary(filepath.Base(path)) && c.Ignored() {
		c.Reason = "a temporary file of an editor"
		return c
	}
	r.ofHooks(path, &c, say)
	if !known && !c.Env && !c.Config {
		r.ofTree(path, &c, say)
	}
	c.Reason = strings.Join(reasons, "; ")
	return c
}

// Explain is Classify for people: it also says which line of devguard.toml would have an ignored file
// noticed. Of all files of a tree, and of all events, that would be too much to ask.
func (r *Rules) Explain(path string) Class {
	c := r.Classify(path)
	if c.Ignored() && !temporary(filepath.Base(path)) {
		c.Suggest = r.suggest(filepath.Clean(path))
	}
	return c
}

func (r *Rules) isEnv(path string) bool {
	return slices.ContainsFunc(r.EnvFiles, func(name string) bool { return r.abs(name) == path })
}

func (r *Rules) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.Base, name)
}

// ofGraph fills in what a file is to the graph, and reports whether it is of the graph or would be
// without its build constraint.
func (r *Rules) ofGraph(path string, c *Class, say func(string, ...any)) bool {
	if r.Graph == nil {
		return false
	}
	if role, ok := r.Graph.Files[path]; ok && role != 0 {
		c.Role, c.Source, c.Shape = role, role != Excluded, role == Excluded || role == Module
		c.Runtime = role == Library && shared(path)
		say("%s", r.Graph.describe(r.Base, path, role))
		return true
	}
	role := r.Graph.newRole(path)
	switch role {
	case 0:
		return false
	case Test:
		c.Role = role
		return false
	}
	c.Role, c.Source, c.Shape = role, role != Excluded, true
	say("%s", r.Graph.describe(r.Base, path, role))
	return true
}

func (r *Rules) ofHooks(path string, c *Class, say func(string, ...any)) {
	for i, h := range r.Hooks {
		if r.matchAny(h.Watch, path) != "" {
			c.Hooks = append(c.Hooks, i)
			say("watched by hook %q", h.Name)
		}
		if r.matchAny(h.Outputs, path) != "" {
			c.Outputs = append(c.Outputs, i)
			say("an output of hook %q", h.Name)
		}
	}
}

func assetOf(path string) Asset {
	if filepath.Ext(path) == ".css" {
		return Style
	}
	return Script
}

// ofTree decides whether the running app reads a file that is not of the graph.
func (r *Rules) ofTree(path string, c *Class, say func(string, ...any)) {
	glob := r.matchAny(r.Include, path)
	inTree := r.Command && r.under(path)
	reason := r.outside(path)
	asset := ""
	if glob == "" {
		asset = r.matchAny(r.Assets, path)
	}
	switch {
	case asset != "" && reason == "":
		c.Asset = assetOf(path)
		say("matches front.reload %q", asset)
	case glob == "" && !inTree && len(c.Hooks) > 0:
	case glob == "" && !inTree:
		say("%s", r.whyNot(path, reason))
	case reason != "":
		say("%s", reason)
	case inTree:
		c.Runtime = true
		say("a file of the tree that the command runs in")
	default:
		c.Runtime = true
		say("matches watch.include %q", glob)
	}
}
