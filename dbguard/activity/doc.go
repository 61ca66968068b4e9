// Package activity asks a Postgres server about sessions, in pg_stat_activity
// and pg_locks, and ends sessions.
//
// It promises: a session is ended only when the very statement that ends it
// finds it under the pid and the start time that Find returned, so a pid that
// was given to someone else meanwhile is never hit; and never the session that
// asks. Which sessions are whose is for the caller to decide.
//
// It must be used on a direct connection: behind a pooler a session in
// pg_stat_activity belongs to the pooler, whatever label it carries.
//
// No privileges beyond the app's own role are needed. What that role may not
// see (other roles' sessions have NULL columns), Find does not find.
package activity
