// Package e2e has no code but tests: of the program as its users run it (real builds,
// processes, signals, file systems, Postgres and PgBouncer), and of the shape of the
// code (architecture_test.go). The command line's are scripts, testdata/script/*.txtar.
//
// With -campaign the long versions run, minutes instead of seconds.
package e2e
