// Package pgtest starts throwaway Postgres servers and PgBouncers for tests.
//
// It promises: a server of its own for each Start, on a loopback port, with SCRAM passwords, made
// from a template cluster so that a start takes a tenth of a second; everything is stopped and
// removed by t.Cleanup, and is stopped by the kernel when the test binary is killed (Linux). As
// root the servers run as the account postgres, else nobody.
//
// A missing server program skips the test as package testneed says, under the name postgres or
// pgbouncer.
package pgtest
