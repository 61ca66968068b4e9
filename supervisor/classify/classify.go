package classify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// Classify says what a change of the file asks for. It looks at the name alone,
// except that Graph.Match may read the header of a Go file that the graph does
// not know yet. The path is absolute, named as the go command names it.
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

func (r *Rules) isEnv(path string) bool {
	return slices.ContainsFunc(r.EnvFiles, func(name string) bool { return r.abs(name) == path })
}

func (r *Rules) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.Base, name)
}

// ofGraph fills in what a file is to the graph and reports whether it is of it,
// or would be if it did not carry a build constraint.
func (r *Rules) ofGraph(path string, c *Class, say func(string, ...any)) bool {
	if r.Graph == nil {
		return false
	}
	if role, ok := r.Graph.Files[path]; ok && role != 0 {
		c.Role, c.Source, c.Shape = role, role != Excluded, role == Excluded || role == Module
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

// ofTree decides about a file that is not of the graph: read by the running
// app, or nothing.
func (r *Rules) ofTree(path string, c *Class, say func(string, ...any)) {
	glob := r.matchAny(r.Include, path)
	inTree := r.Command && r.under(path)
	reason := r.outside(path)
	switch {
	case glob == "" && !inTree && len(c.Hooks) > 0:
	case glob == "" && !inTree:
		say("%s", r.whyNot(path, reason))
		c.Suggest = r.suggest(path, c, reason)
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

// outside says why a file is out whatever watch.include says; empty if it is
// not.
func (r *Rules) outside(path string) string {
	if dir := r.usuallyExcluded(path); dir != "" {
		return "inside " + dir
	}
	if glob := r.exclude(path); glob != "" {
		return fmt.Sprintf("matches watch.exclude %q", glob)
	}
	if r.Ignored != nil && r.Ignored(path) {
		return "git ignores it"
	}
	return ""
}

// whyNot explains why a file that matches no watch.include pattern is nothing.
func (r *Rules) whyNot(path, outside string) string {
	base := filepath.Base(path)
	isGo := strings.HasSuffix(base, ".go")
	switch {
	case isGo && strings.HasSuffix(base, "_test.go"):
		return "test file: not part of the binary"
	case isGo && hidden(base):
		return "the go command ignores files whose names begin with _ or ."
	case outside != "":
		return outside
	case isGo && r.Graph != nil:
		return r.Graph.notImported(r.Base, filepath.Dir(path))
	}
	return "not part of the binary, and matches no watch.include pattern"
}

// suggest returns the line that would make a change of the file restart the
// app; empty if no such line would.
func (r *Rules) suggest(path string, c *Class, outside string) string {
	if !c.Ignored() || outside != "" || r.Command {
		return ""
	}
	rel, ok := r.rel(path)
	if !ok || paths.Climbs(rel) {
		return "" // beside the tree nobody looks for what the globs match
	}
	globs := make([]string, 0, len(r.Include)+1)
	for _, g := range append(slices.Clip(r.Include), escape(rel)) {
		globs = append(globs, fmt.Sprintf("%q", g))
	}
	return "watch.include = [" + strings.Join(globs, ", ") + "]"
}
