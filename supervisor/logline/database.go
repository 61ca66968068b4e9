package logline

import (
	"log/slog"
	"time"
)

// The lines of the database side, which are written by packages of dbguard.

// Upstream is what is done for one database. What is "" is absent from the line.
type Upstream struct {
	Mode   string // session, transaction, drain or off
	Kind   string // postgres, session-pooler, transaction-pooler or unknown
	Reason string
	Env    string // the variables that name it, joined by commas
	Name   string // user@host:port/database; "" when the mode is off
}

// Database says what is done for a database, and why not more. warn is for what
// the user would want to change.
func Database(u Upstream, warn bool) Line {
	return line(levelOf(warn), MsgDatabase, slog.String("mode", u.Mode)).withString("kind", u.Kind).
		withString("reason", u.Reason).withString("env", u.Env).withString("database", u.Name)
}

// Unknown is a count that could not be made.
const Unknown = -1

// Drain is what became of the sessions of an ended generation on one upstream. A
// count that is Unknown is absent from the line; without Sessions, all counts are.
type Drain struct {
	Database   string
	Gen        int // 0 for sessions of an earlier devguard
	Sessions   int
	Cancelled  int
	RolledBack int
	Terminated int
	Statements int
	Left       int
	Remaining  []string // those that are left, or what else may be, each in one line
	Reason     string   // why not all was done; "" if all was
	Took       time.Duration
}

// Drained says what became of the sessions, as a warning when some are left.
func Drained(d Drain) Line {
	l := line(levelOf(d.Left > 0), MsgDrained, slog.String("database", d.Database)).withGen("gen", d.Gen)
	if d.Sessions != Unknown {
		l = l.withCount("sessions", d.Sessions).withCount("cancelled", d.Cancelled).withCount("rolled_back", d.RolledBack).
			withCount("terminated", d.Terminated).withCount("statements", d.Statements).withCount("left", d.Left)
	}
	if len(d.Remaining) > 0 {
		l = l.With(slog.Any("remaining", d.Remaining))
	}
	return l.withString("reason", d.Reason).With(slog.Int64("ms", d.Took.Milliseconds()))
}

// Bypass reports a session with the app's label that is not provably the app's.
// pid is the server's process.
func Bypass(pid int, remote, database string) Line {
	return bypass(slog.LevelWarn, pid, remote, database).
		withString("hint", "the session has the app's label, but may be a pooler's or a living process's: devguard leaves it alone")
}

// Stranger reports a client of a fixed address that is not the app's. name is its
// application_name.
func Stranger(pid int, remote, database, name string) Line {
	return bypass(slog.LevelInfo, pid, remote, database).With(slog.String("application_name", name)).
		withString("hint", "a client of the fixed address that is not the app's: it is served, and no restart ends it")
}

func bypass(level slog.Level, pid int, remote, database string) Line {
	return line(level, MsgBypass, slog.Int("pid", pid), slog.String("remote", remote), slog.String("database", database))
}

// Conflict reports an error about a prepared statement that the app was given.
// The fingerprint is the statement without its literals, "" when it is not known;
// g is 0 when the session is of no generation.
func Conflict(g int, sqlstate, fingerprint, database string) Line {
	return line(slog.LevelWarn, MsgConflict, slog.String("sqlstate", sqlstate), slog.String("fingerprint", fingerprint)).
		withGen("gen", g).With(slog.String("database", database))
}

// EmbeddedStarted says where the embedded server listens and keeps its data.
func EmbeddedStarted(version string, port int, data string, took time.Duration) Line {
	return line(slog.LevelInfo, MsgEmbedded, slog.String("version", version), slog.Int("port", port),
		slog.String("data", data), slog.Int64("ms", took.Milliseconds()))
}

// NotCarried says what a transaction pooler does not carry.
func NotCarried(feature, database string) Line {
	return line(slog.LevelWarn, feature+" does not work through a transaction pooler", slog.String("database", database)).
		withString("hint", "use a direct URL, or the pooler's session mode (its session port), for what needs it")
}

// Blocked says who holds a lock that a hook which migrates waits for.
func Blocked(hook, holder, hint, database string) Line {
	return line(slog.LevelWarn, "hook "+hook+" waits for a lock that is held by "+holder+"; new transactions of the app wait meanwhile",
		slog.String("database", database)).withString("hint", hint)
}

// MigratesThroughPooler says that hooks which migrate are given the URL of a transaction
// pooler; named says that direct, the variable for the server itself, has it too.
func MigratesThroughPooler(database, direct string, named bool) Line {
	why, hint := "as "+direct+" is not set", "set "+direct+" to the URL of the server itself, in the environment or in .env"
	if named {
		why, hint = "to which "+direct+" leads too", "write the URL of the server itself into "+direct
	}
	return line(slog.LevelWarn, "hooks that migrate go through a transaction pooler, "+why+
		": prepared statements clash there (42P05 at the second run), and locks of a session stay behind",
		slog.String("database", database)).withString("hint", hint)
}

// NoTLSAt says that a client has left which wants TLS at a fixed address; variable is
// what names the server.
func NoTLSAt(address, variable, database string) Line {
	return line(slog.LevelWarn, "a client that wants TLS has left "+address+": there is none on this machine's side of devguard",
		slog.String("database", database)).withString("hint",
		"write sslmode=disable into the URL that leads to "+address+"; to the server itself, TLS is as "+variable+" says")
}

// Past says that the app holds a connection to an address where a Postgres may be, and
// that devguard does not stand in between.
func Past(remote string) Line {
	return Note(true, "the app holds a connection to "+remote+" that goes past devguard; by its port that is a Postgres",
		"if so, name the variable that has its URL, or its host: url_env = [\"NAME\"] under [[database]] in devguard.toml; is the address in the app's code, "+
			"set DATABASE_URL, write listen = \"127.0.0.1:7432\" there, and that address into the code")
}

// PauseOver says that the app no longer waits for a hook which migrates.
func PauseOver(hook string, after time.Duration, database string) Line {
	return line(slog.LevelInfo, "hook "+hook+" still runs after "+after.String()+": the app's transactions go on beside it",
		slog.String("database", database))
}

// CannotAccept says that a listener for the app's sessions fails.
func CannotAccept(listener string, err error) Line {
	return line(slog.LevelWarn, MsgCannotAccept, slog.String("listener", listener)).withError(err)
}

// LoginRefused says why a client was not let in, at debug: anyone on the machine
// can cause it as often as he likes.
func LoginRefused(listener string, err error) Line {
	return line(slog.LevelDebug, MsgLoginRefused, slog.String("listener", listener), slog.String("reason", err.Error()))
}

// SocketsUnknown says why the sockets of a generation could not be listed.
func SocketsUnknown(g int, err error) Line {
	return line(slog.LevelDebug, MsgSocketsUnknown, gen(g)).withError(err)
}

// NoDialAhead says by which error the server has refused sessions dialled ahead.
func NoDialAhead(database, sqlstate string) Line {
	return line(slog.LevelDebug, MsgNoDialAhead, slog.String("database", database), slog.String("sqlstate", sqlstate))
}

// EmbeddedPort says that the embedded server's address is another one than before.
func EmbeddedPort(port, was int) Line {
	return line(slog.LevelWarn, MsgEmbeddedPort, slog.Int("port", port), slog.Int("was", was))
}

// FetchingPostgres says which npm package is fetched, and to where.
func FetchingPostgres(pkg, to string) Line {
	return line(slog.LevelInfo, MsgFetchingPostgres, slog.String("package", pkg), slog.String("to", to))
}

// FetchedPostgres says that it is there.
func FetchedPostgres(took time.Duration) Line {
	return line(slog.LevelInfo, MsgFetchedPostgres, slog.Int64("ms", took.Milliseconds()))
}
