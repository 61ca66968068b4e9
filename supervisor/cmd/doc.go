// Package cmd holds the verbs of the command line: those that need no running
// supervisor (init, explain, completion, version), those that ask one (status, restart,
// stop, reset-connections, logs), the flags of run, the rules for arguments, and
// where a command line works. main wires them into one cli.App and maps errors to exit codes:
// a UsageError and a config.Errors are 2.
//
// Promises: nothing here starts a process, changes the environment, or
// overwrites a file; what init writes, config.Load accepts; no value of an
// environment variable or env file is ever printed.
package cmd
