// Package dbguard gives a Go service on pgx v5 the cures that devguard gives from
// outside, for where no devguard stands in front: a test, a colleague's machine, a
// preview deployment behind a transaction pooler such as Supabase's.
//
//	pool, err := dbguard.Open(ctx) // DATABASE_URL, else SUPABASE_DATABASE_URL
//	err = dbguard.Retry(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) error {...})
//	err = dbguard.RetryTx(ctx, pool, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {...})
//
// Where to look: config.go and open.go (the pool), pooler.go (what is behind a URL),
// classify.go (what an error means), retry.go, tx.go and commit.go (what is tried
// again), clean.go (a connection after a stale statement), reset.go, clear.go and
// handler.go (by hand), log.go and trace.go (what is said), stats.go (what was counted).
//
// What it promises, and what each promise rests on:
//
//   - RetryTx never commits a transaction twice. A transaction is run again only
//     when its COMMIT was not sent, or was answered by the server itself with 40001
//     or 40P01, which both mean that it was rolled back. It rests on fn leaving the
//     end of the transaction to RetryTx, which refuses a Commit of fn's.
//   - RetryTx never reports success unless the server has answered COMMIT with
//     COMMIT. An answer that did not come is an [*OutcomeUnknownError].
//   - [Retry] never runs fn again after a connection was lost with a statement under
//     way, since that may have taken effect.
//   - DEALLOCATE ALL is sent only where the server itself says that the session is
//     ours alone: its process id is the one that was told at login. A pooler tells
//     another, and there connections are replaced instead (DEALLOCATE ALL through
//     PgBouncer 1.21 breaks other clients, and Supavisor rejects it).
//   - [Reset] fails nothing that is in flight: a connection in use is closed when it
//     comes back to the pool. It rests on pgxpool, which never takes one away.
//   - [ResetHandler] is not there in production, and in development answers nobody but
//     this machine, whoever has the token, and no foreign web page. It rests on what
//     browsers do not let a page change (Host, Origin), on the peer's address, and on
//     proxies saying that they are there.
//   - No password is in an error, log line or printed value of this package.
//
// When not to use it:
//
//   - Retry cannot make statements idempotent: what must not happen twice belongs in
//     [RetryTx], and what RetryTx's fn does besides (a mail, a message, another
//     database) may happen twice.
//   - An error that lasts (a full disk, a wrong password, a broken statement) is no
//     better after three tries, nor is a server that is away for longer than a tenth
//     of a second: answer that it is, with a 503, say. [Classify] tells most of these
//     errors; PgBouncer's own for a server that is away (08P01) are [Permanent], since
//     it says the same of one that went away after the statement was sent.
//   - LISTEN, advisory locks of a session, COPY of a whole file: take a connection of
//     the pool (or of DirectURL, behind a transaction pooler) and keep it.
//   - Retries do not nest: a Retry inside a Retry is nine tries.
//   - An app that runs under devguard needs none of it for stale statements; there is
//     no harm in both.
//
// # Log lines
//
// All are slog lines of the pool's logger ([WithLogger]), or of slog.Default. They
// are stable:
//
//   - "Database pool opened", info: kind, exec_mode, reason, source.
//   - "Database prepared statement conflict", warning: attempt, sqlstate, delay.
//     Delays are what is waited before the next attempt.
//   - "Database operation retried", warning: class, attempt, sqlstate, delay: the
//     other classes.
//   - "Database retry gave up", error: class, attempts, sqlstate, error: no attempts
//     are left.
//   - "Database commit outcome unknown", error: error. See [OutcomeUnknownError].
//   - "Database connections reset successfully", info: connections, those that were
//     replaced at once; in_use, those that are when they come back.
//   - "Database prepared statements cleared", info: statements, connections,
//     recycled.
//   - "Database statement failed" and "Database notice", warnings in development:
//     statement, without its literals, sqlstate; severity.
//   - "Database statement slow", warning, only with [WithSlowQueries]: statement, ms.
//   - "Database pool closed", info: when the context of Open has ended.
//
// [Stats] and the expvar "dbguard" count the same. Importing this package thereby
// imports expvar, which serves /debug/vars on http.DefaultServeMux.
package dbguard
