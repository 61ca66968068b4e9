package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/paths"
)

// Overrides are what the command line says. Flags win over the file.
type Overrides struct {
	Name      string // "" leaves the file's; likewise the next two
	LogFormat string
	DB        string // mode of every database
	Control   string // "" leaves the file's
	Front     string // Front.Listen; "" leaves the file's

	Debug       bool   // run the app under Delve
	DebugListen string // "" leaves the file's

	Verbose    *bool // nil leaves the file's
	EmbeddedDB *bool // of every database
	Hold       *bool // App.HoldSockets

	Package string   // the positional PACKAGE; "" when not given
	Build   []string // flags of go build; they follow those of the file, so that they win
	Args    []string // what follows "--"
	HasArgs bool     // whether "--" was there at all, so that it can also mean no arguments
}

// Find returns the configuration for a devguard started in dir: devguard.toml
// there or in the nearest parent, up to the root of the repository (where .git
// is). Outside any repository it looks up to the nearest go.mod only, so that a
// stranger's file in /tmp or / is never run. No file is "" without error.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", File, err)
	}
	for _, at := range Places(dir) {
		path := filepath.Join(at, File)
		switch _, err := os.Stat(path); {
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("find %s: %w", File, err)
		}
	}
	return "", nil
}

// Places are the directories in which Find looks, in its order; dir is absolute.
func Places(dir string) []string {
	all, top := []string{dir}, searchRoot(dir)
	for dir != top {
		dir = filepath.Dir(dir)
		all = append(all, dir)
	}
	return all
}

// searchRoot is the last directory in which Find looks.
func searchRoot(dir string) string {
	if root := parentWith(dir, ".git"); root != "" {
		return root
	}
	if root := parentWith(dir, "go.mod"); root != "" {
		return root
	}
	return dir
}

// parentWith returns dir or the nearest parent in which name exists, or "".
func parentWith(dir, name string) string {
	for up := range paths.Up(dir) {
		if _, err := os.Lstat(filepath.Join(up, name)); err == nil {
			return up
		}
	}
	return ""
}

// Load reads the configuration at path, or takes the defaults when path is
// empty, and applies flags. work is the app's working directory. Problems that
// a person has to put right are an Errors. Resolve decides what is to be run.
func Load(path, work string, flags Overrides) (*Config, error) {
	work, err := filepath.Abs(work)
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	if info, err := os.Stat(work); err != nil || !info.IsDir() {
		return nil, Errors{{Key: "--dir", Msg: work + " is not a directory", Next: "start devguard in the app's working directory, or name it with -C"}}
	}
	cfg := Default(work)
	if path != "" {
		if cfg, err = loadFile(path, work); err != nil {
			return nil, err
		}
	}
	return cfg.with(flags)
}

func loadFile(path, work string) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	data, err := readBounded(path)
	if err != nil {
		hint := "check the path after --config"
		if !errors.Is(err, fs.ErrNotExist) {
			hint = "make it a readable file"
		}
		return nil, Errors{{File: Shown(path), Msg: "cannot be read: " + reason(err), Next: hint}}
	}
	return Parse(Shown(path), path, work, data)
}

// readBounded reads a file that a person wrote: anything longer than 1 MiB (a
// guess) is another file by mistake.
func readBounded(path string) ([]byte, error) {
	const most = 1 << 20
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // only read from: closing cannot lose anything
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && len(data) > most {
		err = errors.New("it is longer than 1 MiB")
	}
	return data, err
}

// reason is err without the path, which the message already has.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// Shown names path as the user's shell would: relative to the directory that
// devguard was started in when it lies below it, so that terminals and editors
// can open file:line.
func Shown(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, ok := paths.Rel(cwd, path); ok {
		return rel
	}
	return path
}

// with returns c with flags applied.
func (c *Config) with(flags Overrides) (*Config, error) {
	out := *c
	errs := flags.check()
	if flags.Name != "" {
		out.Name = flags.Name
	}
	if flags.LogFormat != "" {
		out.LogFormat = flags.LogFormat
	}
	if flags.Control != "" {
		out.Control = flags.Control
	}
	out.Debug.On, out.Build.Debug = flags.Debug, c.Build.Debug || flags.Debug
	if address, err := dialAddress(flags.DebugListen); err == nil {
		out.Debug.Listen = address // check has said what is wrong with another
	}
	if flags.Front != "" {
		out.Front.Listen, _ = listenAddress(flags.Front)
	}
	if flags.Verbose != nil {
		out.Verbose = *flags.Verbose
	}
	if flags.Hold != nil {
		out.App.HoldSockets = *flags.Hold
	}
	out.Build.Flags = slices.Concat(c.Build.Flags, flags.Build)
	out.Databases = slices.Clone(c.Databases)
	for i := range out.Databases {
		db := &out.Databases[i]
		if flags.DB != "" {
			db.Mode = Mode(flags.DB)
		}
		if flags.EmbeddedDB != nil {
			db.Embedded = *flags.EmbeddedDB
		}
	}
	errs = append(errs, out.App.with(flags, c.Work)...)
	if out.Debug.On && len(out.App.Command) > 0 {
		errs = append(errs, &Error{Key: "COMMAND", Msg: "Delve debugs Go packages, and this is a command: " + out.App.Command[0],
			Next: "name the package before --, like devguard debug ./cmd/app, or run the command with devguard run"})
	}
	if len(flags.Build) > 0 && len(out.App.Command) > 0 {
		name, _, _ := strings.Cut(flags.Build[0], "=")
		errs = append(errs, &Error{Key: name, Msg: name + " is a flag of go build, and a command is not built",
			Next: "leave it out, or name the package to build before --"})
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return &out, nil
}

// check reports the flags whose values do not exist.
func (flags Overrides) check() Errors {
	var errs Errors
	if msg := badName(flags.Name); msg != "" {
		errs = append(errs, &Error{Key: "--name", Msg: "--name: " + msg, Next: nameHint(flags.Name)})
	}
	if flags.LogFormat != "" && !slices.Contains(logFormats, flags.LogFormat) {
		errs = append(errs, badWord("--log-format", flags.LogFormat, logFormats))
	}
	if flags.DB != "" && !slices.Contains(modes, Mode(flags.DB)) {
		errs = append(errs, badWord("--db", flags.DB, words(modes)))
	}
	if _, err := dialAddress(flags.DebugListen); flags.DebugListen != "" && err != nil {
		errs = append(errs, &Error{Key: "--listen", Msg: "--listen: " + err.Error(), Next: debugHint})
	}
	if flags.Control != "" && !isControl(flags.Control) {
		errs = append(errs, &Error{Key: "--control", Msg: "--control: is no address of loopback", Next: controlHint})
	}
	if _, err := listenAddress(flags.Front); err != nil {
		errs = append(errs, &Error{Key: "--front", Msg: "--front: " + err.Error(), Next: "write --front=127.0.0.1:8080"})
	}
	return errs
}

// words returns values as text.
func words[T ~string](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

func badWord(flag, word string, words []string) *Error {
	e := &Error{Key: flag, Next: "write one of " + strings.Join(words, ", ")}
	e.Msg, e.Nearest = fmt.Sprintf("%s: %q is not a value of it", flag, word), Nearest(word, words)
	return e
}

// with applies PACKAGE and what follows "--": arguments of the app, or a
// command when neither a package nor an [app] says what to run.
func (a *App) with(flags Overrides, work string) Errors {
	if flags.Package != "" {
		if msg, hint := badPackage(flags.Package); msg != "" {
			return Errors{{Key: "PACKAGE", Msg: msg, Next: hint}}
		}
		if len(a.Command) > 0 {
			a.Command, a.Args = nil, nil // the arguments were the command's
		}
		a.Package, a.BuildDir = flags.Package, work
	}
	if !flags.HasArgs {
		return nil
	}
	if a.Package != "" || len(a.Command) > 0 {
		a.Args = flags.Args
		return nil
	}
	if len(flags.Args) == 0 || flags.Args[0] == "" {
		return Errors{{Key: "COMMAND", Msg: "no command after --", Next: "write devguard run -- COMMAND [ARGS...]"}}
	}
	a.Command, a.Args = flags.Args, nil
	return nil
}
