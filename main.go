// Command devguard runs a Go service while you edit it: it rebuilds and
// restarts it when something it is made of changes, ends its Postgres sessions
// before each restart, and runs schema hooks. See README.md.
//
// main turns os.Args into a command, wires the packages together, and turns
// errors into exit codes: 0 stopped by the user, 1 failed, 2 usage or
// configuration. Nothing else calls os.Exit, because that would leave processes
// behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/dbguard/embedded"
	"github.com/devguard/devguard/dbguard/guard"
	"github.com/devguard/devguard/dbguard/sockets"
	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/cmd"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/delve"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/examine"
	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/proc"
	"github.com/devguard/devguard/supervisor/statedir"
	"github.com/devguard/devguard/supervisor/term"
)

func main() {
	if listeners.Keeper() || front.Main() { // of the sockets, or before the app, until devguard is gone
		return
	}
	if code, is := examine.Listener(); is { // of a try
		os.Exit(code)
	}
	proc.Guardian()     // does not return in the guardian of an app
	embedded.Guardian() // nor in that of an embedded server
	os.Exit(execute(os.Args))
}

// execute runs one command line and returns the exit code.
func execute(args []string) int {
	err := cmd.TopicError(newApp(args).Run(parsed(args)))
	if err == nil {
		return 0
	}
	var coded *cmd.CodeError
	if errors.As(err, &coded) && coded.Err == nil {
		return coded.Code
	}
	console.PrintError(os.Stderr, err)
	if coded != nil {
		return coded.Code
	}
	var usage *cmd.UsageError
	var invalid config.Errors
	if errors.As(err, &usage) || errors.As(err, &invalid) {
		return 2
	}
	return 1
}

// parsed is what the flag parser may see: it must not meet the "--".
func parsed(args []string) []string {
	before, _, _ := cmd.SplitArgs(args)
	return before
}

func newApp(args []string) *cli.App {
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Usage: cmd.VersionUsage, DisableDefaultText: true}
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, c.App.Version) }
	return &cli.App{
		Name:           "devguard",
		Version:        version(),
		Usage:          cmd.AppUsage,
		Description:    cmd.AppHelp,
		ExitErrHandler: func(*cli.Context, error) {}, // execute prints and decides
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return cmd.FlagError(err, "devguard help", []cli.Flag{cli.VersionFlag, cli.HelpFlag})
		},
		Action:   func(c *cli.Context) error { return noVerb(c, args) },
		Commands: commands(args),
	}
}

// commands are the verbs with what answers each.
func commands(args []string) []*cli.Command {
	withArgs := func(answer func(*cli.Context, []string) error) cli.ActionFunc {
		return func(c *cli.Context) error { return answer(c, args) }
	}
	actions := map[string]cli.ActionFunc{
		"run": withArgs(run), "debug": withArgs(run), "explain": withArgs(explain), "doctor": withArgs(diagnose),
		"status": talk(cmd.Status), "wait": wait, "restart": talk(cmd.Restart), "stop": talk(cmd.Stop),
		"reset-connections": talk(cmd.ResetConnections), "logs": talk(cmd.Logs), "mcp": serveAgent,
		"init": withArgs(initProject), "completion": completion, "version": alone(printVersion), "man": alone(printManual),
	}
	var all []*cli.Command
	for _, v := range cmd.Verbs() {
		action, ok := actions[v.Name]
		if !ok {
			panic("BUG: nothing answers devguard " + v.Name)
		}
		all = append(all, &cli.Command{
			Name: v.Name, Usage: v.Usage, ArgsUsage: v.Args, Description: v.Help, Flags: v.Flags, Action: action,
			HideHelpCommand: true,
			OnUsageError: func(_ *cli.Context, err error, _ bool) error {
				return cmd.FlagError(err, "devguard help "+v.Name, v.Flags)
			},
		})
	}
	return all
}

// noVerb answers a command line without a verb that we know.
func noVerb(c *cli.Context, args []string) error {
	if _, _, dash := cmd.SplitArgs(args); c.NArg() == 0 && dash {
		return &cmd.UsageError{Msg: "there is no command before --", Next: "write: devguard run -- COMMAND [ARGS...]"}
	}
	if c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	word := c.Args().First()
	hint := "devguard help lists what there is; to run a package: devguard run " + word
	var verbs []string
	for _, verb := range c.App.VisibleCommands() {
		verbs = append(verbs, verb.Name)
	}
	if near := config.Nearest(word, verbs); near != "" {
		hint = "did you mean devguard " + near + "?"
	}
	return &cmd.UsageError{Msg: fmt.Sprintf("there is no command %q", word), Next: hint}
}

func completion(c *cli.Context) error {
	script, err := cmd.Completion(c.Args().First())
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(os.Stdout, script)
	return err
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	return cmd.Version(info)
}

// alone is the answer of a verb that stands without arguments.
func alone(answer cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if name := c.Command.Name; c.NArg() > 0 {
			return &cmd.UsageError{Msg: name + " wants no arguments", Next: "write: devguard " + name}
		}
		return answer(c)
	}
}

// printVersion answers `devguard version`.
func printVersion(c *cli.Context) error {
	cli.ShowVersion(c)
	return nil
}

// printManual answers `devguard man`.
func printManual(*cli.Context) error {
	_, err := io.WriteString(os.Stdout, cmd.Manual())
	return err
}

func initProject(c *cli.Context, args []string) error {
	if _, _, dash := cmd.SplitArgs(args); c.NArg() > 0 || dash {
		return &cmd.UsageError{Msg: "init wants no arguments", Next: "for another directory write: devguard init -C DIR; to translate a file: devguard init --from FILE"}
	}
	dir, err := filepath.Abs(c.String(cmd.DirFlag))
	if err != nil {
		return err
	}
	if source := c.String(cmd.FromFlag); c.IsSet(cmd.FromFlag) {
		return cmd.InitFrom(os.Stdout, dir, source, os.Stdin)
	}
	return cmd.Init(os.Stdout, dir, os.Environ())
}

// talk answers a verb that asks something of a running devguard.
func talk(verb func(context.Context, *cmd.Talk) error) cli.ActionFunc {
	return alone(func(c *cli.Context) error {
		t, err := cmd.NewTalk(c)
		if err != nil {
			return err
		}
		return verb(c.Context, t)
	})
}

// wait answers `devguard wait`: that nothing runs has an exit code of its own.
func wait(c *cli.Context) error {
	err := talk(cmd.Wait)(c)
	var none *cmd.NotRunningError
	if errors.As(err, &none) {
		return &cmd.CodeError{Code: cmd.ExitNotRunning, Err: err}
	}
	return err
}

// explain answers `devguard explain FILE`.
func explain(c *cli.Context, args []string) error {
	p, file, err := cmd.PlaceOf(c, args, cmd.FileArg, cmd.ExplainFlags())
	if err != nil {
		return err
	}
	if file == "" || p.Flags.HasArgs {
		return &cmd.UsageError{Msg: "explain wants one file", Next: "write: devguard explain FILE"}
	}
	return explainFile(c.Context, c, os.Stdout, p, file)
}

func explainFile(ctx context.Context, c *cli.Context, w io.Writer, p cmd.Place, file string) error {
	cfg, file, err := p.LoadFor(ctx, c, file)
	if err != nil {
		return err
	}
	log, screen, _ := logger(cfg)
	defer screen.Close()
	classify, err := supervisor.Classifier(ctx, cfg, os.Environ(), log)
	if err != nil {
		return err
	}
	return cmd.Explain(w, cfg, file, classify)
}

// diagnose answers `devguard doctor`.
func diagnose(c *cli.Context, args []string) error {
	p, pkg, err := cmd.PlaceOf(c, args, cmd.PackageArg, cmd.DoctorFlags())
	if err != nil {
		return err
	}
	p.Flags.Package = pkg
	cfg, invalid := p.Load()
	runs := invalid == nil
	if invalid != nil { // what does not depend on it is looked at all the same
		if cfg, err = config.Load("", p.Work, p.Flags); err != nil {
			return err
		}
		if resolved, err := config.Resolve(cfg); err == nil {
			cfg, runs = resolved, true
		}
	}
	return cmd.Doctor(os.Stdout, examine.Look(c.Context, examine.Request{
		Config: cfg, Invalid: invalid, Runs: runs, Environ: os.Environ(),
		PortOwner: sockets.Owner, Running: cmd.RunningHere(c.Context, p.Work),
		Databases: func(ctx context.Context, env, imports []string, known bool) doctor.Databases {
			return examineDatabases(ctx, cfg, env, imports, known)
		},
	}), c.Bool("json"))
}

// serveAgent answers `devguard mcp`.
func serveAgent(c *cli.Context) error {
	work, err := filepath.Abs(c.String(cmd.DirFlag))
	if err != nil {
		return err
	}
	explain := func(ctx context.Context, file string) (string, error) {
		var text strings.Builder
		err := explainFile(ctx, c, &text, cmd.Place{Work: work}, file)
		return text.String(), err
	}
	return cmd.NewAgent(c, version(), explain).Serve(c.Context, &mcp.StdioTransport{})
}

// run answers `devguard run` and `devguard debug`.
func run(c *cli.Context, args []string) error {
	p, pkg, err := cmd.PlaceOf(c, args, cmd.PackageArg, c.Command.Flags)
	if err != nil {
		return err
	}
	p.Flags.Package, p.Flags.Debug = pkg, c.Command.Name == "debug"
	// What the configuration is made of is kept, so that an edit while
	// devguard starts is noticed.
	path, err := p.Find()
	if err != nil {
		return err
	}
	contents, _ := os.ReadFile(path)
	cfg, err := p.Load()
	if err != nil {
		return err
	}
	var debugger string
	if cfg.Debug.On {
		if debugger, err = delve.Find(c.Context); err != nil {
			return err
		}
	}
	st, err := statedir.Open(cfg.Dir, cfg.Name)
	if err != nil {
		return err
	}
	defer st.Close()
	return supervise(c.Context, p, cfg, debugger, st, contents)
}

// supervise runs one app until the user ends it. debugger is dlv, with debug.
func supervise(ctx context.Context, p cmd.Place, cfg *config.Config, debugger string, st *statedir.Dir, contents []byte) error {
	log, screen, terminal := logger(cfg)
	defer screen.Close() // if nobody reads the rest, nobody reads why either
	journal := control.NewJournal(func(w io.Writer) *slog.Logger { return console.New(w, "pretty", level(cfg), false) })
	log = slog.New(journal.Handler(log.Handler()))
	for _, note := range st.Notes() {
		logline.Note(true, note, "").To(log)
	}
	if msg, hint := cmd.CommandAsArguments(cfg, p.Flags); msg != "" {
		logline.Note(true, msg, hint).To(log)
	}
	tidy(ctx, log, st)
	run, err := st.BeginRun()
	if err != nil {
		return err
	}
	addresses := guard.NewAddresses()
	open := func(cfg *config.Config, app supervisor.App) (supervisor.Database, error) {
		return openDatabase(ctx, log, cfg, app, run, addresses)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	osproc.NotifyJobStop(signals)
	// There is no signal.Stop: a Ctrl-C too many would kill devguard while it closes what it has.
	outliveOutput()
	keys := keyboard(log, cfg)
	if keys != nil {
		defer keys.Close()
		_, _ = io.WriteString(screen, console.KeysHint) // to people, not a line of the log
	}
	err = supervisor.Run(ctx, supervisor.Options{
		Config: cfg, LoadConfig: p.Load, ConfigBytes: contents, Debugger: debugger,
		OpenDatabase: open, Listening: sockets.Listening, PortOwner: sockets.Owner,
		StateDir: st, Environ: os.Environ(),
		Log: log, Screen: screen, Progress: terminal,
		Signals: signals, Keys: keys.Keys(),
		StopSelf: func() {
			keys.GiveBack()
			osproc.StopSelf()
		},
		OpenControl: func(c supervisor.Control) (supervisor.Answering, error) {
			server, err := openControl(cfg, st, journal, c)
			if err != nil {
				return supervisor.Answering{}, err
			}
			show := func() { _ = cmd.ShowPage(screen, server.PageURL()) } // the screen takes it
			return supervisor.Answering{ShowPage: show, End: server.Close}, nil
		},
	})
	if err := run.End(); err != nil {
		logline.Warning(err).To(log)
	}
	return err
}

// outliveOutput lets devguard go on when nobody reads its log any more: at Ctrl-C
// a `| tee` ends first, and the app still wants its grace. Caught, not ignored:
// what is ignored stays so in the app.
func outliveOutput() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// tidy ends what a devguard that was killed has left.
func tidy(ctx context.Context, log *slog.Logger, st *statedir.Dir) {
	ended, err := st.EndLeftovers(ctx)
	for _, l := range ended {
		logline.LeftoverEnded(l.PID).To(log)
	}
	if err != nil {
		logline.Warning(err).To(log)
	}
}

// logger makes the log that cfg asks for, on stderr. The caller closes the screen.
func logger(cfg *config.Config) (log *slog.Logger, screen *console.Screen, pretty bool) {
	terminal := term.IsTerminal(os.Stderr)
	format := cfg.LogFormat
	if format == "" && terminal {
		format = "pretty"
	}
	pretty = terminal && format == "pretty"
	color := console.UseColor(terminal, os.Getenv)
	lines := func(w io.Writer) *slog.Logger { return console.New(w, format, level(cfg), color) }
	screen = console.NewScreen(os.Stderr, pretty, lines)
	return lines(screen), screen, pretty
}

func level(cfg *config.Config) slog.Level {
	if cfg.Verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// openControl answers the other verbs and the status page, and writes down where.
func openControl(cfg *config.Config, st *statedir.Dir, journal *control.Journal, c supervisor.Control) (*control.Server, error) {
	runs := cfg.App.Package
	if len(cfg.App.Command) > 0 {
		runs = strings.Join(cfg.App.Command, " ")
	}
	about := control.About{Name: cfg.Name, PID: os.Getpid(), Version: version(), Dir: cfg.Dir, Runs: runs, Front: c.Front, Since: time.Now()}
	if cfg.Debug.On {
		about.Debug = cfg.Debug.Listen
	}
	server, err := control.Open(cfg.Control, control.Source{
		About:  about,
		Latest: c.Latest, CatchUp: c.CatchUp, Restart: c.Restart, Stop: c.Stop, Listening: c.Listening,
		Sockets: func() control.Sockets {
			now := c.Sockets()
			all := control.Sockets{Off: now.Off}
			for _, s := range now.Sockets {
				all.Addresses = append(all.Addresses, control.Address(s))
			}
			return all
		},
		Databases: func() []control.Database { all, _ := c.Database().([]control.Database); return all },
		ResetConnections: func(ctx context.Context) []control.Reset {
			done, _ := c.ResetConnections(ctx).([]control.Reset)
			return done
		},
		Journal: journal, Kept: control.Kept(st.KeptPage()),
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(st.Publish(server.URL(), server.Token()), st.KeepPage(statedir.Page(server.Kept()))); err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// keyboard reads the keys of the terminal; nil when the app has it or there is none.
func keyboard(log *slog.Logger, cfg *config.Config) *term.Keys {
	if cfg.App.Stdin || !term.IsTerminal(os.Stdin) {
		return nil
	}
	keys, err := term.Open(os.Stdin)
	if err != nil {
		logline.NoKeys(err).To(log)
		return nil
	}
	return keys
}
