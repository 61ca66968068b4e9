// Package classify says what a change of one file asks for (a build, a restart, a hook, or nothing)
// and why: Rules.Classify gives a Class, whose Reason is what `devguard explain` and the `ignored`
// line of the log say (reason.go).
//
// Rules are made of the configuration and of the Graph, which is what the package is built from.
//
// It is pure: no I/O, no clock, no goroutines. A file is classified by its name alone, except that
// Graph.Match may read the header of a Go file that the graph does not know yet.
package classify
