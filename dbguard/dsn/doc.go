// Package dsn finds the databases that an environment describes, and says which
// server, database and user each of them is.
//
// Secrets: a Settings value prints itself without its passwords whatever way it
// is formatted, and no error of this package quotes its input. Redact and
// Settings.Scrub take passwords out of text that others wrote.
//
// Everything is pure over the maps and bytes it is given, apart from ReadDir,
// which reads the .env files of one directory, and Settings.Config, which reads
// the files that the settings name (certificates, .pgpass, a service file).
package dsn
