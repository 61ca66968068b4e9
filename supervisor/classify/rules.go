package classify

// Class says what a change of one file asks for. Several may hold: a file of the graph that a hook
// watches is Source, and has that hook.
type Class struct {
	Source  bool  // of the graph: a build
	Shape   bool  // may change the graph itself: `go list` again
	Runtime bool  // read while running: a restart without a build
	Env     bool  // an env file in use: a restart
	Config  bool  // devguard.toml: read again
	Hooks   []int // indices into Rules.Hooks whose watch globs match
	Outputs []int // indices into Rules.Hooks whose outputs match; that alone asks for nothing

	Asset Asset // what the file is to pages that are open

	Role Role // what the file is to the graph; 0 if it is not of the graph

	Reason  string // one sentence for explain and the log: why this class
	Suggest string // of an ignored file, by Explain alone: the line of devguard.toml that would change that; "" if none would
}

// Ignored reports whether a change of the file asks for nothing.
func (c Class) Ignored() bool {
	return !c.Source && !c.Shape && !c.Runtime && c.Asset == 0 && !c.Env && !c.Config && len(c.Hooks) == 0
}

// Sought reports whether a glob alone names the file, so that it is looked for in the tree and git is asked
// about it.
func (c Class) Sought() bool { return c.Runtime || c.Asset != 0 }

// Asset is what a file that browsers fetch by way of the app is to pages that are open.
type Asset uint8

// The kinds of assets.
const (
	Style  Asset = iota + 1 // a stylesheet: pages take it anew
	Script                  // anything else: pages reload
)

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
	Test                        // _test.go: not in the binary, but if its package clause or imports do not parse the build fails
	Included                    // what C or assembly includes and go list does not name; see Cgo
	Library                     // what #cgo LDFLAGS name; see Cgo
)

// Dir is one package directory of the graph.
type Dir struct {
	Package string   // import path
	Embeds  []string // go:embed patterns of the package, as written, with their "all:"
}

// Cgo is what a package with C or assembly is built from and the go command does not look at. The
// names are absolute, and some may not be there: the next place in which the compiler looks has them
// then, or the build fails until they are made.
type Cgo struct {
	Package   string   // import path
	Dir       string   // absolute
	Workspace bool     // of a main module, which the go command calls "work" in patterns
	Includes  []string // sorted
	Libraries []string // sorted
	Cut       bool     // more is included than is watched
	PkgConfig bool     // pkg-config names more directories, which nobody has asked for
}

// Graph is what a package is built from. Nobody changes it once it is made.
type Graph struct {
	Package string          // import path of the main package
	Files   map[string]Role // absolute path -> role
	Dirs    map[string]Dir  // package directories outside GOROOT and GOMODCACHE, by their absolute path as the go command names it
	MainDir string          // that of the main package; "" if it is not known
	Roots   []string        // module roots (directories of go.mod), main module first
	Imports []string        // import paths of all packages but the standard library's
	Cgo     []Cgo           // of packages that have any

	// Match reports whether the go command would compile the file name in dir, by its suffix, build
	// constraints and tags. Nil: it would compile every file.
	Match func(dir, name string) bool
}

// Rules decide what a change of a file means. Nobody changes them once they are made.
type Rules struct {
	Base    string // absolute; globs and relative EnvFiles are relative to it
	Graph   *Graph // nil in command mode and before the first listing
	Command bool   // a command instead of a package: the tree under Base is what it reads

	Include  []string // globs of files that the running app reads
	Assets   []string // globs of files that pages fetch by way of the app, which need no restart
	Exclude  []string // globs taken out of Include, and of the tree in command mode; not of the graph, not of hooks
	EnvFiles []string
	Config   string // absolute path of devguard.toml; empty if there is none
	Hooks    []Hook

	// Ignored reports whether git ignores a path. Nil: nothing is ignored. It is not asked about
	// files of the graph, env files and the configuration.
	Ignored func(path string) bool
}

// Hook is what classification needs to know of one [[hook]].
type Hook struct {
	Name    string
	Watch   []string // globs relative to Rules.Base
	Outputs []string // globs relative to Rules.Base
}
