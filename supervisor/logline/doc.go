// Package logline is the contract of devguard's log. contract.go declares each
// line: its msg, its attributes and their types, whatever the format; all ms are
// integers. The functions of lines.go make those of the supervisor, the ones of
// database.go those of dbguard/guard and dbguard/embedded. What a line says to a
// person is package console's wording.
//
// The hint of an error, which a line repeats, is found in one way: see WithHint.
package logline
