// Package logline is the contract of devguard's log: every line that scripts may
// rely on is an Event made by a function of this package, with its msg, its
// attributes and their types, whatever the format. All ms are integers. How a
// line looks to a person is package console's.
package logline
