// Package config turns devguard.toml and the flags of a command line into one
// frozen Config, finds the file, and decides what is to be run.
//
// Promises:
//   - A Config is complete: every default is filled in, every value checked, and
//     nobody changes it afterwards. A changed file gives a new Config.
//   - All problems of a file are reported at once, in the order of the file, each
//     with line and column (both from 1, columns in bytes, as the go command
//     counts) and, for a mistyped key, the nearest one that exists.
//   - No value of a file is repeated in a message where it may hold a secret:
//     URLs, the contents of env files, and whatever stands in place of a
//     variable's name.
//   - Parse is pure: no I/O, and equal input gives an equal Config or equal
//     errors.
//
// The keys that exist are those that decode.go reads; there is no second list.
package config
