package goflags

import (
	"slices"
	"strings"
)

// Use is what a flag of go build is to devguard.
type Use int

// The uses. A flag that is not in the table Compiles: when the go command does not know it either,
// it says so itself.
const (
	Compiles Use = iota // changes how packages are compiled or linked: go build alone has to know
	Selects             // decides which files are in the build: go list has to know too
	Profiles            // -pgo: names a file of the build, and go list names each package twice for it
	Links               // -ldflags: devguard merges its own -w into each
	Prints              // shows or repeats work and changes nothing of the program: nothing for go list
	Refused             // set by devguard, or leaves no program to run
)

type known struct {
	use    Use
	valued bool   // the value may be the next word; otherwise it follows "=", or there is none
	hint   string // of a Refused one
}

// table is every flag that is more than "passed to go build as it is, in one word" (go help build,
// Go 1.26).
var table = map[string]known{
	"tags":          {Selects, true, ""},
	"mod":           {Selects, true, ""},
	"modfile":       {Selects, true, ""},
	"overlay":       {Selects, true, ""},
	"compiler":      {Selects, true, ""},
	"installsuffix": {Selects, true, ""},
	"race":          {Selects, false, ""},
	"msan":          {Selects, false, ""},
	"asan":          {Selects, false, ""},
	"modcacherw":    {Selects, false, ""}, // go list fills the module cache too

	"pgo":     {Profiles, true, ""},
	"ldflags": {Links, true, ""},

	"asmflags":   {Compiles, true, ""},
	"buildmode":  {Compiles, true, ""},
	"covermode":  {Compiles, true, ""},
	"coverpkg":   {Compiles, true, ""},
	"gccgoflags": {Compiles, true, ""},
	"gcflags":    {Compiles, true, ""},
	"p":          {Compiles, true, ""},
	"pkgdir":     {Compiles, true, ""},
	"toolexec":   {Compiles, true, ""},

	"a":    {Prints, false, ""},
	"v":    {Prints, false, ""},
	"x":    {Prints, false, ""},
	"work": {Prints, false, ""},

	"o":    {Refused, true, "devguard chooses where the program is written"},
	"C":    {Refused, true, "start devguard in that directory, or with -C"},
	"n":    {Refused, false, "it would build nothing"},
	"json": {Refused, false, "devguard reads the compiler's plain messages"},
	"h":    {Refused, false, "it would build nothing"},
	"help": {Refused, false, "it would build nothing"},
}

// programModes are the values of -buildmode that make a program that can be run.
var programModes = map[string]bool{"": true, "default": true, "exe": true, "pie": true}

// Named is a flag by name, and whether it takes a value.
type Named struct {
	Name   string
	Valued bool
}

// OnCommandLine are the flags that may also stand on the command line of devguard run, by name.
// What only shows work is not among them: -v is devguard's own.
func OnCommandLine() []Named {
	var all []Named
	for name, known := range table {
		if known.use != Refused && known.use != Prints {
			all = append(all, Named{name, known.valued})
		}
	}
	all = append(all, Named{"trimpath", false}, Named{"cover", false}, Named{"linkshared", false}, Named{"buildvcs", true})
	slices.SortFunc(all, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	return all
}
