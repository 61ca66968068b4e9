// Package dsn finds the databases that an environment describes, says which
// server, database and user each of them is, and rewrites what the app is told
// so that it comes to a listener of ours instead.
//
// A rewritten connection string has one host, our user and password and no TLS;
// all that it says about the session is kept in its order and spelling. What it
// said about the connection is applied by Settings.Config to ours, or named by
// Settings.Unsupported: it is never sent to a server.
//
// Secrets: a Settings or Target value prints itself without its passwords
// whatever way it is formatted, and no error of this package quotes its input.
// Redact and Settings.Scrub take passwords out of text that others wrote.
//
// Everything is pure over the maps and bytes it is given, apart from ReadDir,
// which reads the .env files of one directory, and what takes a directory: that
// reads the service file that the settings name, and Settings.Config also
// certificates and .pgpass.
package dsn
