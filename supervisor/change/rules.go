package change

// Class says what a change of one file asks for. Several may be true: a file
// of the graph that a hook also watches is Source and has a hook.
type Class struct {
	Source  bool  // of the graph: a build
	Shape   bool  // may change the graph itself: `go list` again
	Runtime bool  // read while running: a restart without a build
	Env     bool  // an env file in use: a restart
	Config  bool  // devguard.toml: read again
	Hooks   []int // indices into Rules.Hooks whose watch globs match
	Outputs []int // indices into Rules.Hooks whose outputs match (attribution only)

	Reason  string // one sentence for explain and the log: why this class
	Suggest string // for an ignored file: the devguard.toml line that would change it
}

// Ignored reports whether a change of the file asks for nothing.
func (c Class) Ignored() bool {
	return !c.Source && !c.Shape && !c.Runtime && !c.Env && !c.Config && len(c.Hooks) == 0
}

// Role is what one file of the graph is.
type Role uint8

// The roles of a file of the graph.
const (
	GoFile      Role = iota + 1 // compiled
	OtherSource                 // cgo, C, assembly, headers, syso
	Embedded                    // matched by go:embed
	Excluded                    // IgnoredGoFiles: a build constraint excludes it, until that line changes
	Module                      // go.mod, go.sum, go.work, go.work.sum, vendor/modules.txt
	Profile                     // default.pgo
)

// Dir is one package directory of the graph.
type Dir struct {
	Path    string   // absolute, as the go command names it
	Package string   // import path
	Embeds  []string // go:embed patterns of the package, as written, without "all:"
}

// Graph is what a package is built from. It is frozen once made.
type Graph struct {
	Package string          // import path of the main package
	Files   map[string]Role // absolute path -> role
	Dirs    []Dir           // package directories outside GOROOT and GOMODCACHE
	Roots   []string        // module roots (directories of go.mod), main module first

	// Match reports whether the go command would compile the file name in dir
	// (suffix, build constraints, tags). Nil matches all.
	Match func(dir, name string) bool
}

// Hook is what classification needs to know of one [[hook]].
type Hook struct {
	Name    string
	Watch   []string // globs relative to Rules.Base
	Outputs []string // globs relative to Rules.Base
}
