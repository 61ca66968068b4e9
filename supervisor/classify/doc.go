// Package classify says what a change of one file asks for: a build, a restart, a
// hook, or nothing, and why. It is pure: no I/O, no clock, no goroutines.
//
// Rules are made of the configuration and of the Graph, which is what the package
// is built from; Rules.Classify looks at the name of a file alone.
package classify
