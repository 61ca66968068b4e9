package control

import (
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// Schema is the version of all that is answered.
const Schema = 1

// Status is what GET /v1/status answers.
type Status struct {
	Schema    int        `json:"schema"`
	Devguard  About      `json:"devguard"`
	Tree      Tree       `json:"tree"`
	Instance  Instance   `json:"instance"`
	Waits     []Wait     `json:"waits"`    // what is due, and why it is not done yet
	Failures  []Failure  `json:"failures"` // what has failed and has not succeeded since
	Builds    Builds     `json:"builds"`
	Hooks     []Hook     `json:"hooks"` // in the order of devguard.toml
	Sockets   Sockets    `json:"sockets"`
	Databases []Database `json:"databases"`
	History   []Past     `json:"history"` // the newest generation first
}

// About says which devguard answers.
type About struct {
	Name    string    `json:"name"`
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Dir     string    `json:"dir"` // of the configuration; what paths are relative to
	Runs    string    `json:"runs"`
	Debug   string    `json:"debug,omitempty"` // under devguard debug: where a debugger attaches
	Front   string    `json:"front,omitempty"` // the address at which devguard answers for the app
	Since   time.Time `json:"since"`
}

// Tree is what is known of the files.
type Tree struct {
	Version uint64 `json:"version"` // grows with every look that may have seen a change
	Doing   string `json:"doing"`   // idle, settling, configuring, hook NAME, building
	Rest    string `json:"rest"`    // work, handover, rest: whether anything goes on by itself
}

// Instance is the newest generation of the app.
type Instance struct {
	Gen       int      `json:"gen"`     // 0: none was started yet
	Phase     string   `json:"phase"`   // none, exited, crashed, failed, starting, running, stopping, draining
	Ready     bool     `json:"ready"`   // it runs and was found ready
	Version   uint64   `json:"version"` // of the tree that it stands for
	PID       int      `json:"pid,omitempty"`
	Listening []string `json:"listening"` // TCP addresses
}

// Wait is one thing that is due.
type Wait struct {
	What   string `json:"what"` // configuration, listing, hook NAME, build, restart, start, shutdown
	Kind   string `json:"kind"` // what it waits for, for programs
	Reason string `json:"reason"`
}

// Failure is what came of the last try of something.
type Failure struct {
	What    string       `json:"what"`    // configuration, hook NAME, build, start, ready
	Version uint64       `json:"version"` // of the tree that it was tried with
	Error   string       `json:"error"`
	Hint    string       `json:"hint,omitempty"`
	Errors  []Diagnostic `json:"errors,omitempty"` // of a build, the first ones
	Total   int          `json:"total,omitempty"`  // of a build, how many there are
}

// Diagnostic is one message of a build.
type Diagnostic struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"` // in bytes from 1
	Text   string `json:"text"`
	Source string `json:"source,omitempty"` // the line that it is about
	// Around are that line and a few before and after it, and AroundFrom is the number of the first.
	Around     string `json:"around,omitempty"`
	AroundFrom int    `json:"around_from,omitempty"`
}

// Builds counts the builds that succeeded since fast ones were allowed.
type Builds struct {
	Mode     string    `json:"mode"`     // off, auto: fast below [build] in devguard.toml
	Fast     int       `json:"fast"`     // without the go command
	Refused  []Refused `json:"refused"`  // by it, for each reason
	Verified int       `json:"verified"` // the go command has made the same program once it was quiet
	Differed int       `json:"differed"` // another one
}

// Refused counts builds that the go command had to do.
type Refused struct {
	Reason string `json:"reason"`
	Builds int    `json:"builds"`
}

// Hook is how one hook stands.
type Hook struct {
	Name  string `json:"name"`
	State string `json:"state"` // ok, due, running, held, failed, suspended
}

// Sockets are the app's listening sockets, which outlive a restart.
type Sockets struct {
	Off       string    `json:"off,omitempty"` // why they do not
	Addresses []Address `json:"addresses"`
}

// Address is one that the app has listened on.
type Address struct {
	Address string `json:"address"`
	State   string `json:"state"` // listening by generation N, held since HH:MM:SS, let go: and why

	Kind   string    `json:"kind"`             // the same for programs: handed, listening, held, let go
	Gen    int       `json:"gen,omitempty"`    // that was handed it, or listens
	Since  time.Time `json:"since,omitzero"`   // when it is held
	Reason string    `json:"reason,omitempty"` // why it was let go
}

// Database is one server, database and user that the app uses.
type Database struct {
	Name        string       `json:"name"`             // user@server/database
	Mode        string       `json:"mode,omitempty"`   // session, transaction, drain
	Kind        string       `json:"kind,omitempty"`   // postgres, session-pooler, transaction-pooler, unknown
	Reason      string       `json:"reason,omitempty"` // of the mode
	Listen      string       `json:"listen,omitempty"` // where the app finds it
	Paused      bool         `json:"paused"`           // clients wait for a migration
	Spares      int          `json:"spares"`           // sessions dialled ahead
	Sessions    []Session    `json:"sessions"`
	Generations []Generation `json:"generations"`
}

// Session is one session of the app through devguard, in the words of pg_stat_activity.
type Session struct {
	Gen   int    `json:"gen"` // 0: a client of a fixed address that is not the app's
	PID   uint32 `json:"pid"`
	State string `json:"state"`
	AgeMS int64  `json:"age_ms"`          // since its login
	InMS  int64  `json:"state_ms"`        // since it is in that state
	Query string `json:"query,omitempty"` // the fingerprint, without values
}

// Generation is what a generation of the app has in a database.
type Generation struct {
	Gen       int               `json:"gen"`
	Prepared  int               `json:"prepared"` // named statements of its sessions
	Conflicts map[string]uint64 `json:"conflicts,omitempty"`
}

// Resets is what POST /v1/reset-connections answers.
type Resets struct {
	Schema    int     `json:"schema"`
	Databases []Reset `json:"databases"`
}

// Reset is what was done to the app's sessions in one database.
type Reset struct {
	Database   string `json:"database"`
	Sessions   int    `json:"sessions"` // that were ended
	Cancelled  int    `json:"cancelled"`
	RolledBack int    `json:"rolled_back"`
	Statements int    `json:"statements"`       // prepared ones that are gone with them
	Left       int    `json:"left"`             // that did not end in time
	Reason     string `json:"reason,omitempty"` // why nothing could be done
}

func (s *Server) statusOf(snap reload.Snapshot) Status {
	return Status{
		Schema: Schema, Devguard: s.source.About,
		Tree:     treeOf(snap),
		Instance: s.instanceOf(snap),
		Waits:    waitsOf(snap), Failures: failuresOf(snap), Builds: buildsOf(snap), Hooks: hooksOf(snap),
		Sockets: socketsOf(s.source.Sockets()), Databases: list(s.source.Databases()),
		History: s.source.Journal.history.past(),
	}
}

func treeOf(snap reload.Snapshot) Tree {
	return Tree{snap.Version, snap.Doing, string(snap.Rest)}
}

func socketsOf(s Sockets) Sockets {
	s.Addresses = list(s.Addresses)
	return s
}

func (s *Server) instanceOf(snap reload.Snapshot) Instance {
	i := Instance{
		Gen: snap.Gen, Phase: snap.Phase, Ready: snap.Ready, Version: snap.GenVersion, PID: snap.PID, Listening: []string{},
	}
	if snap.PID != 0 {
		for _, addr := range s.source.Listening() {
			i.Listening = append(i.Listening, addr.String())
		}
	}
	return i
}

// waitsOf are what is due in a state.
func waitsOf(snap reload.Snapshot) []Wait {
	all := make([]Wait, 0, len(snap.Holds))
	for _, h := range snap.Holds {
		all = append(all, Wait{h.What, string(h.Kind), h.Reason})
	}
	return all
}

// failuresOf are those of a state.
func failuresOf(snap reload.Snapshot) []Failure {
	all := make([]Failure, 0, len(snap.Failures))
	for _, f := range snap.Failures {
		one := Failure{What: f.What, Version: f.Version, Error: f.Err.Error(), Hint: logline.HintOf(f.Err)}
		if d, ok := f.Detail.(logline.Diagnostics); ok {
			one.Errors, one.Total = diagnostics(d), d.Total
		}
		if one.Hint == "" && strings.HasPrefix(one.What, "hook ") { // its output is not kept: it goes to the terminal as it is
			one.Hint = "its output is in the terminal of devguard run"
			one.Hint += again(f)
		}
		all = append(all, one)
	}
	return all
}

// again says how to see what a hook has failed with once more; "" when that is not known.
func again(f reload.Failure) string {
	d, ok := f.Detail.(interface{ ByHand() string })
	switch {
	case !ok:
		return ""
	case d.ByHand() == "": // there may be a password in it
		return "; to see it here, run the command of " + f.What + " in devguard.toml"
	}
	return "; to see it here: " + d.ByHand()
}

func diagnostics(d logline.Diagnostics) []Diagnostic {
	all := make([]Diagnostic, len(d.Shown))
	for i, one := range d.Shown {
		e := d.Excerpt(i)
		all[i] = Diagnostic{one.File, one.Line, one.Col, one.Msg, d.Source[i], strings.Join(e.Lines, "\n"), e.First}
	}
	return all
}

func buildsOf(snap reload.Snapshot) Builds {
	b := Builds{Mode: "off", Fast: snap.Builds.Fast, Verified: snap.Builds.Verified, Differed: snap.Builds.Differed, Refused: []Refused{}}
	if snap.Fast {
		b.Mode = "auto"
	}
	for _, r := range snap.Builds.ByGo {
		b.Refused = append(b.Refused, Refused(r))
	}
	return b
}

func hooksOf(snap reload.Snapshot) []Hook {
	all := make([]Hook, len(snap.Hooks))
	for i, h := range snap.Hooks {
		all[i] = Hook(h)
	}
	return all
}
