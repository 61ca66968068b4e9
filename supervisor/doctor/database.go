package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Databases are those that an environment names.
type Databases struct {
	Skipped  string   // why the environment was not looked at; "" when it was
	Named    []string // variables that were looked for
	Found    []Database
	Loose    []Trouble // variables that hold an address, or may do so, and are not led through devguard
	Embedded bool      // a server of devguard's own is asked for
}

// Database is one server, database and user.
type Database struct {
	Variables string // that lead there
	Name      string // user@server/database
	Role      Role

	Failed *DatabaseTrouble // why it cannot be used; the rest is not known then

	Version   string
	RoundTrip time.Duration // of the shortest query
	TLS       string        // its version; "" without
	Local     bool          // this machine's, or a Unix socket

	Kind     string // postgres, session-pooler, transaction-pooler or unknown
	Mode     string // session, transaction, drain or off
	Reason   string // of kind and mode
	Fallback bool   // the app goes past devguard because that cannot do what the app does

	Rights        string // why its role may not end its own sessions, "" when it may; of postgres alone
	Grant         string // the SQL that lets it
	Single        string // why it has no second session for us, "" when it has; of postgres alone
	MigratesThere bool   // hooks migrate, and no URL leads past this pooler
	DirectEnv     string // the variable for such a URL
}

// Role is what a database is to the app.
type Role int

// The roles.
const (
	OfApp   Role = iota // devguard asks it
	Direct              // likewise: for hooks that migrate alone
	ByTheBy             // it is led through devguard, and asked nothing before the app connects
)

// DatabaseTrouble is why a server cannot be used.
type DatabaseTrouble struct {
	Text string
	Code string // SQLSTATE of a server that refuses us; else one of the words below
}

// Codes that are no SQLSTATE.
const (
	CodeHost        = "host"        // its name is not known
	CodeSilent      = "silent"      // nothing listens there
	CodeTimeout     = "timeout"     // no answer in time
	CodeCertificate = "certificate" // it is not accepted
	CodeNoTLS       = "no TLS"      // the server has none, and it is asked for
	CodeSettings    = "settings"    // they cannot be used
	CodeOurs        = "ours"        // devguard cannot log in, and the app perhaps can
	CodeOther       = "other"
)

// slow is a round trip from which on a restart is felt: it takes about ten of them (a guess at what
// a driver does at its start).
const slow = 50 * time.Millisecond

func (d Databases) examine(r *Report) {
	const check = "database"
	for _, one := range d.Found {
		one.examine(r)
	}
	for _, t := range d.Loose {
		r.warn("variable", t.Text, t.or("name it in url_env under [[database]] in devguard.toml"))
	}
	switch {
	case d.Embedded:
		r.ok(check, "an embedded Postgres is asked for: devguard run starts it")
	case d.Skipped != "":
		r.ok(check, "not looked at: "+d.Skipped)
	case len(d.Found)+len(d.Loose) == 0:
		r.ok(check, "none is named: neither "+strings.Join(d.Named, ", ")+" nor PGHOST is set")
	}
}

func (d Database) examine(r *Report) {
	const check = "database"
	name := d.Variables + ": " + d.Name
	switch {
	case d.Failed != nil && d.Failed.Code == CodeOurs:
		r.warn(check, name+": devguard cannot log in as the app perhaps can ("+d.Failed.Text+"): the app would use its own URL", d.fix())
		return
	case d.Failed != nil:
		r.problem(check, name+": "+d.Failed.Text, d.fix())
		return
	case d.Mode == "off":
		r.ok(check, name+": mode off, as configured: its sessions are the app's own to end")
		return
	case d.Role == ByTheBy:
		r.ok(check, name+" is led through devguard when the app connects; it was not asked")
		return
	}
	trip := d.RoundTrip.Round(100 * time.Microsecond)
	text := fmt.Sprintf("%s answers: %s, %v a round trip", name, d.Version, trip)
	if d.RoundTrip >= slow {
		r.warn("database.latency", text+": a restart takes several", "develop with a database near you: devguard run --embedded-db has one of its own")
	} else {
		r.ok(check, text)
	}
	d.encryption(r)
	if d.Role == OfApp {
		d.mode(r)
		d.rights(r)
	}
}

// fix says what helps against the trouble of a server.
func (d Database) fix() string {
	first, _, _ := strings.Cut(d.Variables, ",")
	switch d.Failed.Code {
	case CodeHost:
		return "correct the host in " + first
	case CodeSilent:
		return "start the server, or correct host and port in " + first + "; or have one of your own: devguard run --embedded-db"
	case CodeTimeout:
		return "look whether the way there is open (VPN, firewall), or correct the host in " + first
	case CodeCertificate:
		return "name the certificate of its authority in " + first + ": sslrootcert=FILE"
	case CodeNoTLS:
		return "switch TLS on there, or take sslmode out of " + first
	case CodeSettings:
		return "correct " + first
	case CodeOurs:
		return `write mode = "drain" under [[database]] in devguard.toml to have it so on purpose, or use a login that pgx knows`
	case "28P01", "28000":
		return "correct user and password in " + first
	case "42501":
		return "have the owner of the database grant that, or use another role in " + first
	case "3D000":
		return "create the database, or correct its name in " + first
	case "53300", "57P03":
		return "end sessions that nobody needs, or raise max_connections (of a pooler: max_client_conn)"
	}
	return "psql with the same address says more"
}

func (d Database) encryption(r *Report) {
	const check = "database.tls"
	first, _, _ := strings.Cut(d.Variables, ",")
	switch {
	case d.TLS != "":
		r.ok(check, d.Name+" is reached with "+d.TLS)
	case d.Local:
		r.ok(check, d.Name+" is reached without TLS, on this machine")
	default:
		r.warn(check, d.Name+" is on another machine and reached without TLS: what is asked and answered can be read on the way", "add sslmode=require to "+first+", better verify-full")
	}
}

func (d Database) mode(r *Report) {
	const check = "database.mode"
	text := fmt.Sprintf("%s: mode %s, %s: %s", d.Name, d.Mode, d.Kind, d.Reason)
	pooled := d.Kind == "transaction-pooler"
	switch {
	case d.Fallback:
		r.warn(check, text, "take that setting out of "+d.Variables+", or write mode = \"drain\" under [[database]] to have it so on purpose")
	case d.Kind == "unknown":
		r.warn(check, text, "give the pooler a second server for this user (default_pool_size), or write mode under [[database]]: transaction is right on any server")
	case pooled && d.Mode == "session":
		r.warn(check, text+"; in this mode prepared statements of the app clash there (42P05, 26000)", "write mode = \"auto\" under [[database]]")
	case d.Kind != "postgres" && d.Mode == "drain":
		r.warn(check, text, "write mode = \"auto\" under [[database]]: sessions that pass through devguard are known, and ended")
	default:
		r.ok(check, text)
	}
	if pooled && d.MigratesThere {
		r.warn(check, d.Name+": hooks that migrate go through a transaction pooler: prepared statements clash there, and locks of a session stay behind",
			"set "+d.DirectEnv+" to the URL of the server itself")
	}
}

func (d Database) rights(r *Report) {
	const check = "database.rights"
	switch {
	case d.Kind != "postgres": // nothing is ended there but what passes through devguard
	case d.Single != "":
		r.warn(check, d.Name+": there is no second session for devguard, which needs one at each restart: "+d.Single,
			"raise max_connections, or the connection limit of the role: alter role NAME connection limit 20")
	case d.Rights != "":
		r.warn(check, d.Name+": the role may not end its own sessions: "+d.Rights+". What a killed app leaves runs on", "have its owner run: "+d.Grant)
	default:
		r.ok(check, d.Name+": the role may end its own sessions (tried)")
	}
}
