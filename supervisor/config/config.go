package config

import (
	"path/filepath"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/dotenv"
)

// File is the name of the configuration file.
const File = "devguard.toml"

// Config is one configuration, complete and checked. Treat it and everything
// it points to as read-only.
type Config struct {
	Path string // the file, absolute; "" when there is none
	Dir  string // what globs and paths of the file are relative to: the file's directory, else Work
	Work string // the app's working directory, absolute

	Name      string // of this devguard's state folder; "" until Resolve
	LogFormat string // pretty, text or json; "" means: by the terminal
	Verbose   bool
	Control   string // loopback host:port where a running devguard is asked; port 0 is any that is free

	App       App
	Build     Build
	Debug     Debug
	Watch     Watch
	Ready     Ready
	Front     Front
	Databases []Database // never empty
	Hooks     []Hook     // in file order, which is the order they run in
}

// App is what runs, and how it is stopped. At most one of Package and Command
// is set; after Resolve exactly one is.
type App struct {
	Package  string   // what the go command is given: "./cmd/app" or an import path
	BuildDir string   // where the go command runs: Config.Dir for a package named in the file, else Work
	Command  []string // run without a Go build
	Args     []string // of the program; after those that Command itself has
	EnvFiles []string // absolute, in order: later files win

	StopSignal     syscall.Signal
	Grace          time.Duration // from StopSignal to SIGKILL of the tree; 0 kills at once
	Stdin          bool          // the app gets the terminal
	RestartOnCrash bool
	HoldSockets    bool // listening sockets outlive a generation (Linux)

	// HangUp is how long after StopSignal connections of clients that have their answer are ended, or
	// Never (Linux). By default 50 ms: net/http's Shutdown looks 63 to 70 ms after the signal whether
	// everybody has gone, and then not before 127 ms.
	HangUp time.Duration
}

// FrontOfApp is the Front.Listen of a front that answers wherever the app itself binds (Linux).
const FrontOfApp = "app"

// Never stands for a duration that does not come.
const Never time.Duration = -1

// Build is how the package is built.
type Build struct {
	Flags []string // for go build and go list, as given
	Debug bool     // for a debugger: with DWARF, without optimisation
	Fast  Fast
}

// Debug is whether the app runs under a Delve server, and where that listens.
type Debug struct {
	On     bool   // devguard debug; no key of the file
	Listen string // host:port
}

// Fast says whether an edit may be built without the go command.
type Fast string

// The values of build.fast.
const (
	FastAuto Fast = "auto" // where that is known to lead to the same program: on Linux alone
	FastOff  Fast = "off"
)

// Watch is what to watch beside the import graph. Globs are relative to
// Config.Dir, with slashes, without a leading "./"; one that ended in "/" in
// the file ends in "/**" here.
type Watch struct {
	Include []string
	Exclude []string
	Poll    Poll
}

// Poll says whether the watcher stats files instead of, or beside, listening
// to events.
type Poll struct {
	Mode  PollMode
	Every time.Duration // between two sweeps; 0 with PollOff
}

// PollMode is when to poll.
type PollMode string

// The poll modes.
const (
	PollAuto PollMode = "auto" // where the file system is not known to be local
	PollOff  PollMode = "off"
	PollOn   PollMode = "on" // an interval was given
)

// Ready is when a started app counts as ready. At most one of HTTP and TCP is
// set; with neither, it is the first listening socket of the app's tree.
type Ready struct {
	HTTP    string // a path on the app's first listening socket, or a full URL
	TCP     string // host:port
	Timeout time.Duration
}

// Front is the address of devguard's own at which the app is reached.
type Front struct {
	// Listen is host:port, port 0 is any that is free; no host: all interfaces. FrontOfApp: where the app
	// itself binds. "" for no front.
	Listen string

	// Target is the app's own address, when it does not take one; else PortEnv are the variables that it
	// reads its port from, and {port} in its arguments stands for it.
	Target  string
	PortEnv []string

	Hold          time.Duration // how long requests wait for the app
	LiveReload    bool          // pages reload by themselves, and show what has failed
	Reload        []string      // globs, like those of Watch, of files for which pages reload, without a restart
	Editor        string        // that links in pages open: a name, or a URL with {file}, {line} and {column}; "" for none
	RemoteOverlay bool          // clients of other machines may know why the app does not answer
}

// Mode is how the sessions of a database are looked after.
type Mode string

// The modes.
const (
	ModeAuto        Mode = "auto"        // session or transaction, as a probe finds; drain where neither is possible
	ModeSession     Mode = "session"     // through devguard, bytes as they are: a server, or a session pooler
	ModeTransaction Mode = "transaction" // through devguard, prepared statements rewritten: a transaction pooler
	ModeDrain       Mode = "drain"       // the app connects by itself, its sessions are ended after each generation
	ModeOff         Mode = "off"
)

// Database is one database of the app.
type Database struct {
	URLEnv       []string // variables that hold the app's URL, the first that is set counts
	DirectURLEnv string   // variable with a URL that bypasses the pooler, for hooks and migrations
	Mode         Mode
	Embedded     bool   // a private Postgres under .devguard
	Listen       string // a loopback address of its own, for apps that read their URL from elsewhere; "" for none
	DrainTimeout time.Duration
}

// Then is what follows a hook that succeeded.
type Then string

// What may follow a hook in this version.
const (
	ThenRebuild Then = "rebuild"
	ThenRestart Then = "restart"
	ThenReload  Then = "reload" // of pages; nothing without a front
	ThenNone    Then = "none"
)

// Hook is one [[hook]]. Exactly one of Shell and Command is set.
type Hook struct {
	Name     string
	Watch    []string // globs like those of Watch
	Shell    string   // run by sh -c
	Command  []string // run as it is
	Outputs  []string // globs; one that matches nothing makes the hook run
	Then     Then
	Migrates bool // changes the database's schema
	Line     int  // of its [[hook]] in the file, from 1
}

// Default is the configuration of a project that has no file, for an app
// whose working directory is work.
func Default(work string) *Config {
	return &Config{
		Dir:     work,
		Work:    work,
		Control: "127.0.0.1:0",
		App: App{
			BuildDir:       work,
			StopSignal:     syscall.SIGTERM,
			Grace:          5 * time.Second,
			RestartOnCrash: true,
			HoldSockets:    true,
			HangUp:         50 * time.Millisecond,
		},
		Debug: Debug{Listen: "127.0.0.1:2345"}, // what VS Code and GoLand propose
		Build: Build{Fast: FastAuto},
		Watch: Watch{
			Include: []string{"**/*.{html,tmpl,tpl,gohtml,sql}"},
			Poll:    Poll{Mode: PollAuto, Every: time.Second},
		},
		Ready:     Ready{Timeout: 30 * time.Second},
		Front:     Front{PortEnv: []string{"PORT"}, Hold: time.Minute, LiveReload: true, Reload: []string{"**/*.{css,js}"}, Editor: "vscode"},
		Databases: []Database{defaultDatabase()},
	}
}

func defaultDatabase() Database {
	return Database{
		URLEnv:       dotenv.DatabaseURLs(),
		DirectURLEnv: dotenv.DirectDatabaseURL,
		Mode:         ModeAuto,
		DrainTimeout: 2 * time.Second,
	}
}

// Rel names path as the file would: relative to Dir, with slashes. A path that
// has no such name is returned as it is.
func (c *Config) Rel(path string) string {
	rel, err := filepath.Rel(c.Dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}
