package fastbuild

import "fmt"

// Refusal is why a build is left to the go command.
type Refusal struct {
	Kind Kind
	What string // the file, package, flag or setting it is about; "" when the kind says all
}

// Kind names a reason. Refusals are counted by it.
type Kind string

// Of the machine and the settings: no plan is recorded.
const (
	System       Kind = "not supported on this system"
	Setting      Kind = "a setting of the go command that is not supported"
	Flag         Kind = "a flag that is not supported"
	ExternalLink Kind = "a C compiler links the program"
	Stamped      Kind = "the commit is written into the program"
	Files        Kind = "files instead of a package are built"
	Profile      Kind = "a profile that is used in a way that is not understood"
	Pattern      Kind = "a go:embed pattern that begins with a wildcard for directories"
	Unknown      Kind = "the go command says something that is not understood"
	Written      Kind = "files were written since the last look"
	Different    Kind = "the plan does not lead to the program that the go command has built"
	NotLinked    Kind = "the program could not be linked by the plan"
)

// Of an edit.
const (
	NoPlan      Kind = "nothing is recorded yet"
	Unchanged   Kind = "no source has changed"
	Settings    Kind = "settings of the go command changed"
	Outside     Kind = "a file of the standard library or of the module cache changed"
	NotCompiled Kind = "a file changed that is not compiled"
	FilesCame   Kind = "files came or went"
	Unparsed    Kind = "a file does not parse"
	Clause      Kind = "the package clause changed"
	Imports     Kind = "imports changed"
	Directives  Kind = "directives changed"
	Cgo         Kind = "the package uses cgo"
	Assembly    Kind = "the package has assembly or objects"
	Generated   Kind = "the go command generates sources of the package"
)

// Lasting reports whether an edit of function bodies cannot change that nothing is recorded: only one of
// what go list reads can, or another configuration.
func (k Kind) Lasting() bool {
	switch k {
	case System, Setting, Flag, ExternalLink, Stamped, Files, Profile, Pattern, Unknown, Different:
		return true
	}
	return false
}

// Supported reports whether anything is built without the go command on this system.
const Supported = supported

// Refused is a *Refusal when nothing is built without the go command by these settings, whatever the
// program; else nil. No process is started for it. Linked, Began, Same and Tmp are not needed.
func (r Request) Refused() error { return r.refused() }

// Error says why, for people.
func (r *Refusal) Error() string {
	if r.What == "" {
		return string(r.Kind)
	}
	return fmt.Sprintf("%s: %s", r.Kind, r.What)
}

func refuse(k Kind, what string) *Refusal { return &Refusal{k, what} }
