// Package activity asks a Postgres server about sessions, in pg_stat_activity and pg_locks, and
// ends sessions.
//
// It promises: the statement that ends a session looks for it by its pid and its backend_start, as
// Find returned them, so it never hits a session that was given the same pid meanwhile; and it
// never ends the session that asks. Which sessions are whose is for the caller to decide.
//
// It must be used on a direct connection: behind a pooler a session in pg_stat_activity belongs to
// the pooler, whatever label it carries.
//
// No privileges beyond the app's own role are needed. What that role may not see (other roles'
// sessions have NULL columns), Find does not find.
package activity
