package cmd

// Summaries of the program and its verbs, one line each.
const (
	AppUsage        = "run a Go service while you edit it"
	RunUsage        = "build and run a package, restart it when something it is made of changes"
	DebugUsage      = "the same as run, under Delve: a debugger finds the app at a port that stays"
	ExplainUsage    = "say what a change of a file would do, and why"
	InitUsage       = "write a devguard.toml for this project"
	DoctorUsage     = "look at this machine, the project and its databases, and say what is wrong"
	StatusUsage     = "say what the devguard that runs here serves, and what fails or waits"
	WaitUsage       = "wait until the tree as it is now is served, or is known not to be"
	RestartUsage    = "restart the app of the devguard that runs here"
	StopUsage       = "end the devguard that runs here, and its app"
	ResetUsage      = "end the app's database sessions, without a restart"
	LogsUsage       = "print the log of the devguard that runs here"
	MCPUsage        = "answer a coding agent, over stdin and stdout"
	CompletionUsage = "print completions for a shell"
	VersionUsage    = "print the version of devguard"
	ManUsage        = "print the manual page"
)

// Usage lines behind the verb's name.
const (
	RunArgs        = "[flags] [" + PackageArg + "] [-- ARGS...]"
	ExplainArgs    = "[flags] " + FileArg
	DoctorArgs     = RunArgs
	InitArgs       = "[-C DIR] [--from FILE]"
	TalkArgs       = "[flags]"
	CompletionArgs = "bash|zsh|fish"
)

// What the arguments of verbs are called.
const (
	PackageArg = "PACKAGE"
	FileArg    = "FILE"
)

// AppHelp is the description of the whole program.
const AppHelp = `devguard builds and runs a Go service, and restarts it when something it is
made of changes: Go code of any package it imports, embedded files, go.mod,
templates, .env files, devguard.toml. A build that fails never stops the running
service. Its Postgres sessions are ended before the next version starts, and
schema changes run their generators first.

Start with:

    devguard run ./cmd/app

No configuration is needed. devguard init writes one when you want hooks or
other defaults; config.example.toml in the sources documents every key.

Exit codes: 0 stopped by the user, 1 failed, 2 usage or configuration.`

// RunHelp is the description of run.
const RunHelp = `    devguard run                          the app of devguard.toml, else . if it is a
                                          program, else the only ./cmd/* that is one
    devguard run ./cmd/app                this package
    devguard run ./cmd/app -- -port 80    what follows -- goes to the program
    devguard run -C web -- npm run dev    without PACKAGE and without an [app] in
                                          devguard.toml: any command, no Go build

    devguard run -race -tags dev .        flags of go build, over those of build.flags
    devguard run main.go util.go          the package of these files

Flags come before PACKAGE, and win over devguard.toml. PACKAGE may be in another
module below: it is built there, and runs here.

The app's output is not touched; devguard's own lines go to stderr. The app reads
/dev/null unless app.stdin is true. At a terminal: r restarts (and runs held
hooks), d ends the app's database sessions, o opens the status page, q quits,
? helps.

Ctrl-C asks the app to stop (app.stop_signal), waits up to app.grace and then
kills what is left of its process tree; a second Ctrl-C kills at once. Ctrl-\
makes the app print its goroutines.

State lives in .devguard/, which ignores itself in git. Two devguards in one
project need two names: --name.`

// DebugHelp is the description of debug.
const DebugHelp = `    devguard debug                        what run would run, under a Delve server
    devguard debug ./cmd/app -- -port 80  as with run
    devguard debug --listen 2346 .        at another port of this machine

The app is built for a debugger (build.debug: with DWARF, without optimisation) and
runs at once. Attach your editor to 127.0.0.1:2345, "remote" in VS Code and GoLand;
after a restart attach again, at the same port. docs/debugging.md has what to write.

Flags, keys and everything else are those of run. A stop clears the breakpoint that
the app stands at, so that it can end in order; what stays after app.grace is killed.
Time that it stands at a breakpoint does not count for ready.timeout.

dlv comes by: go install github.com/go-delve/delve/cmd/dlv@latest`

// ExplainHelp is the description of explain.
const ExplainHelp = `    devguard explain internal/users/users.go
    devguard explain -C testdata/shop README.md

The first line is FILE and what a change of it would do, in order: nothing,
hook "NAME", rebuild, restart, or read again (devguard.toml). Below it stand the
reason and, for a file that is ignored, the line of devguard.toml that would
change that. A file that does not exist is explained as if it were created.

Nothing is built or started, but the go command is asked what the app is made of. Where
there are several programs and devguard.toml names none, the app is that of the devguard
that runs here.`

// DoctorHelp is the description of doctor.
const DoctorHelp = `    devguard doctor
    devguard doctor ./cmd/app
    devguard doctor -- npm run dev        before devguard run -- npm run dev

Looks at what devguard run with the same arguments would need, and says of each thing
whether it is ok, a warning or a problem, with the fix: devguard.toml and env files, the
go command and the packages, limits of file events, the file system, held sockets (two
short-lived processes try them), ports, databases (a few short sessions), variables
with an address that is not led through devguard, and the commands of hooks.

Nothing is built, no hook is run, and nothing is changed; a devguard that runs here is not
disturbed. No password is printed. --json prints what docs/json.md describes.

Exit codes: 0 no problem, warnings or not; 1 a problem; 2 usage.`

// InitHelp is the description of init.
const InitHelp = `Looks through the project and writes a short devguard.toml: the package to run,
and a hook for each generator it finds.

    prisma                    schema.prisma
    sqlc                      sqlc.yaml, sqlc.yml, sqlc.json
    templ                     *.templ
    buf                       buf.gen.yaml
    go generate               //go:generate lines
    goose, golang-migrate     their migrations, commented out: read the line that says
                              which database they would change first

With --from it translates what you have instead:

    devguard init --from .air.toml
    devguard init --from reflex.conf            also nodemon.json, a package.json
    echo 'wgo run -file .html ./cmd/app' | devguard init --from -

Each setting is translated, or listed in a comment with its line and why: not needed
here, or not supported. Variables for the app go into devguard.env.

An existing devguard.toml is never overwritten, and nothing is run.`

// found is which devguard the verbs that ask one mean.
const found = `

It is found from any directory of the project. Where several run, --name says which.`

// StatusHelp is the description of status.
const StatusHelp = `Prints the generation that runs and where it listens, what waits and why, what
has failed, hooks, sockets that are held, and the app's database sessions. --json prints the answer of
GET /v1/status as it is. --open opens the status page in a browser instead, like
key o, or prints its address where there is none: good once, for two minutes.` + found

// WaitHelp is the description of wait.
const WaitHelp = `    devguard wait && npx playwright test
    devguard wait || fix

Every file that was saved before the call counts, however short before. Exit code:

    0  a ready instance was built and started from the tree as it is, or what was saved
       asks for nothing; of a command, it was started
    1  it is not served, and will not be before something changes: a build, hook or
       start has failed, a hook is held or suspended, devguard.toml is not valid, the
       app has crashed. Why is on stdout, messages of the compiler as file:line:column
    3  not known within --timeout
    4  no devguard runs here, or it has ended meanwhile

A newer save is waited for in place of the one before it.` + found

// RestartHelp is the description of restart.
const RestartHelp = `What key r does: hooks that failed or are held run now, the app is built and
restarted. It returns when that has begun.` + found

// StopHelp is the description of stop.
const StopHelp = `What Ctrl-C does: the app gets app.grace to end. It returns when devguard has
ended; once more, while the first one waits, kills at once.` + found

// ResetHelp is the description of reset-connections.
const ResetHelp = `Ends the app's database sessions that pass through devguard: what runs is
cancelled, open transactions are rolled back, prepared statements, temporary
tables and session settings go with the session. The app goes on and connects
again. Tables and their rows are never touched.` + found

// LogsHelp is the description of logs.
const LogsHelp = `Prints what devguard has said, up to the last 1,000 lines. The app's own output is
not part of it: devguard never copies that. -f goes on until devguard ends.
--json prints one object a line, as with --log-format json.` + found

// MCPHelp is the description of mcp.
const MCPHelp = `A server of the Model Context Protocol for coding agents, which start it themselves:

    claude mcp add devguard -- devguard mcp
    codex mcp add devguard -- devguard mcp
    {"mcpServers": {"devguard": {"command": "devguard", "args": ["mcp"]}}}     elsewhere

Tools: status, wait, restart, explain, reset_connections. Resource: devguard://errors.
The devguard that runs may be started later, and started again.`

// CompletionHelp is the description of completion.
const CompletionHelp = `    source <(devguard completion bash)                            in ~/.bashrc
    devguard completion zsh > "${fpath[1]}/_devguard"             once, then a new shell
    devguard completion fish > ~/.config/fish/completions/devguard.fish`

// VersionHelp is the description of version.
const VersionHelp = `One line, for a bug report: the version of the module, the commit if devguard was
built in its git work tree, the version of Go, operating system and architecture.
devguard --version prints the same.`

// ManHelp is the description of man.
const ManHelp = `    devguard man | man -l -
    devguard man > ~/.local/share/man/man1/devguard.1

All that devguard help says of each verb, as a manual page.`
