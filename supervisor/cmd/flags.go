package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/goflags"
)

// DirFlag is the flag that names the directory to work in.
const DirFlag = "dir"

const configFlag = "config"

// RunFlags are the flags of run. Each is a key of devguard.toml too, but the
// first two.
func RunFlags() []cli.Flag {
	own := append(PlaceFlags(),
		&cli.StringFlag{Name: "name", Usage: "`NAME` of this devguard, and of its folder below .devguard (default: the package's base name)"},
		&cli.StringFlag{Name: "db", Usage: "what to do about Postgres sessions: `auto|session|transaction|drain|off`"},
		&cli.BoolFlag{Name: "embedded-db", Usage: "run a private Postgres under .devguard, for app and hooks"},
		&cli.BoolFlag{Name: "hold-sockets", Value: true, Usage: "let listening sockets outlive a restart, so that no connection is refused (Linux; --hold-sockets=false: off)"},
		&cli.GenericFlag{Name: "front", Value: new(address), Usage: "answer for the app where it binds (Linux), or at `ADDR`, and it gets PORT: requests wait for a restart, and none is lost (--front=127.0.0.1:8080)"},
		&cli.StringFlag{Name: "log-format", Usage: "`pretty|text|json` (default: pretty on a terminal, else text)"},
		&cli.StringFlag{Name: "control", Usage: "answer devguard status and its like at `ADDR` of loopback (default: 127.0.0.1:0, any port)"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "also say what was ignored, and why"},
	)
	return append(own, buildFlags()...)
}

// DebugFlags are the flags of debug: those of run, and where Delve listens.
func DebugFlags() []cli.Flag {
	return append(RunFlags(), &cli.StringFlag{Name: "listen", Usage: "have Delve listen at `ADDR` (default: 127.0.0.1:2345)"})
}

// address is the value of a flag that stands alone, or has a value behind =. Alone it is "true".
type address string

func (a *address) String() string {
	if a == nil {
		return ""
	}
	return string(*a)
}

// Set is part of flag.Value.
func (a *address) Set(s string) error {
	*a = address(s)
	return nil
}

// frontAddress is the value of --front; "" for a verb that does not have it.
func frontAddress(c *cli.Context) string {
	value, _ := c.Generic("front").(*address)
	if value.String() == "true" { // it stands alone
		return config.FrontOfApp
	}
	return value.String()
}

// IsBoolFlag has package flag take the next word for an argument.
func (a *address) IsBoolFlag() bool { return true }

// buildFlags are the flags of go build that people know from `go run`. They are listed under go help
// build, and not once more in the help of run.
func buildFlags() []cli.Flag {
	var flags []cli.Flag
	for _, f := range goflags.OnCommandLine() {
		if f.Valued {
			flags = append(flags, &cli.StringFlag{Name: f.Name, Usage: buildFlagUsage, Hidden: true})
		} else {
			flags = append(flags, &cli.BoolFlag{Name: f.Name, Usage: buildFlagUsage, Hidden: true})
		}
	}
	return flags
}

const buildFlagUsage = "a flag of go build, which go help build explains"

// goBuildFlags are those of them that were given, each in one word.
func goBuildFlags(c *cli.Context) []string {
	var words []string
	for _, f := range goflags.OnCommandLine() {
		if c.IsSet(f.Name) {
			words = append(words, fmt.Sprintf("-%s=%v", f.Name, c.Value(f.Name)))
		}
	}
	return words
}

// PlaceFlags are the flags of every verb that reads the project.
func PlaceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: DirFlag, Aliases: []string{"C"}, Usage: "work in `DIR`, as if devguard had been started there"},
		&cli.StringFlag{Name: configFlag, Aliases: []string{"c"}, Usage: "read `FILE` (default: devguard.toml here or in a parent, up to the repository's root)"},
	}
}

// ExplainFlags are the flags of explain.
func ExplainFlags() []cli.Flag {
	return append(PlaceFlags(), &cli.StringFlag{Name: "name", Usage: "explain for the app of the devguard of this `NAME`, where several programs are"})
}

// FromFlag is the flag of init that names another tool's configuration.
const FromFlag = "from"

// InitFlags are the flags of init.
func InitFlags() []cli.Flag {
	return []cli.Flag{
		PlaceFlags()[0],
		&cli.StringFlag{Name: FromFlag, Usage: "translate `FILE` of air, reflex or nodemon, or with - a command line of reflex, wgo or nodemon from stdin"},
	}
}

// TalkFlags are the flags of a verb that asks a running devguard; more of them by name.
func TalkFlags(more ...string) []cli.Flag {
	flags := []cli.Flag{
		PlaceFlags()[0],
		&cli.StringFlag{Name: "name", Usage: "ask the devguard of this `NAME`"},
	}
	for _, name := range more {
		switch name {
		case "json":
			flags = append(flags, &cli.BoolFlag{Name: name, Usage: "print JSON"})
		case "open":
			flags = append(flags, &cli.BoolFlag{Name: name, Usage: "open the status page in a browser"})
		case "timeout":
			flags = append(flags, &cli.DurationFlag{Name: name, Value: time.Minute, Usage: "give up after `D`"})
		case "follow":
			flags = append(flags, &cli.BoolFlag{Name: name, Aliases: []string{"f"}, Usage: "go on until devguard ends"})
		}
	}
	return flags
}

// overrides are the flags of run that were given on the command line. The
// positional arguments are the caller's to add.
func overrides(c *cli.Context) config.Overrides {
	out := config.Overrides{Name: c.String("name"), LogFormat: c.String("log-format"), DB: c.String("db"), Control: c.String("control"), Front: frontAddress(c), Build: goBuildFlags(c)}
	out.DebugListen = c.String("listen")
	if c.IsSet("verbose") {
		verbose := c.Bool("verbose")
		out.Verbose = &verbose
	}
	if c.IsSet("embedded-db") {
		embedded := c.Bool("embedded-db")
		out.EmbeddedDB = &embedded
	}
	if c.IsSet("hold-sockets") {
		hold := c.Bool("hold-sockets")
		out.Hold = &hold
	}
	return out
}

// TopicError makes a UsageError of what cli says to help about a verb that does not
// exist; any other error stays as it is.
func TopicError(err error) error {
	if err == nil {
		return nil
	}
	word, unknown := strings.CutPrefix(err.Error(), "No help topic for ")
	if !unknown {
		return err
	}
	return &UsageError{Msg: "there is no help about " + word, Next: "devguard help lists what there is"}
}

// FlagError makes a UsageError of an error of the flag parser: what package
// flag calls "provided but not defined", with the nearest flag there is. help is
// the command that lists them. It is meant for cli's OnUsageError.
func FlagError(err error, help string, flags []cli.Flag) error {
	_, name, unknown := strings.Cut(err.Error(), "flag provided but not defined: ")
	if !unknown {
		return &UsageError{Msg: err.Error(), Next: help + " lists the flags"}
	}
	name = strings.TrimLeft(name, "-")
	var names []string
	for _, flag := range flags {
		names = append(names, flag.Names()...)
	}
	hint := help + " lists the flags; those of the app go behind --"
	if near := config.Nearest(name, names); near != "" && len(near) > 1 {
		hint = "did you mean --" + near + "?"
	}
	return &UsageError{Msg: "there is no flag --" + name, Next: hint}
}
