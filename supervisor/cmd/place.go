package cmd

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/config"
)

// Place is where a command line works: the app's directory and the
// configuration that counts there.
type Place struct {
	Work  string // absolute
	Flags config.Overrides

	path string // of --config
}

// PlaceOf reads the flags and the one argument of run, explain and doctor. args are os.Args, what
// names the argument: PackageArg or FileArg, and flags are those of the verb.
func PlaceOf(c *cli.Context, args []string, what string, flags []cli.Flag) (p Place, arg string, err error) {
	before, after, dash := SplitArgs(args)
	line := commandLine{before: before, positional: c.Args().Slice(), after: after, hasDash: dash, flags: flags}
	if p.Work, err = filepath.Abs(c.String(DirFlag)); err != nil {
		return p, "", fmt.Errorf("working directory: %w", err)
	}
	p.path = c.String(configFlag)
	p.Flags = overrides(c)
	if what == PackageArg {
		line, err = line.files(func(files []string) (string, bool) { return config.FilesPackage(p.Work, files, p.Flags.Build) })
		if err != nil {
			return p, "", err
		}
	}
	if arg, err = line.one(what); err != nil {
		return p, "", err
	}
	p.Flags.Args, p.Flags.HasArgs = after, dash
	return p, arg, nil
}

// Find returns the file that Load reads; "" when there is none (yet).
func (p Place) Find() (string, error) {
	if p.path != "" {
		return p.path, nil
	}
	return config.Find(p.Work)
}

// Load returns the configuration that counts here, with its package resolved.
func (p Place) Load() (*config.Config, error) {
	path, err := p.Find()
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(path, p.Work, p.Flags)
	if err != nil {
		return nil, err
	}
	return config.Resolve(cfg)
}

// LoadFor is Load for the verb that explains file. Where it cannot be told which package to run, the
// configuration is that of the devguard that runs here. file is returned as the configuration has it.
func (p Place) LoadFor(ctx context.Context, c *cli.Context, file string) (*config.Config, string, error) {
	cfg, err := p.Load()
	if config.NoPackage(err) {
		return p.asRunning(ctx, c, file, err)
	}
	return cfg, file, err
}

// asRunning loads the configuration for the package that the devguard here was started with: where
// there are several programs and devguard.toml names none, only that command line did. file is
// returned as that configuration has it. Where none runs, the error is the one without it.
func (p Place) asRunning(ctx context.Context, c *cli.Context, file string, without error) (*config.Config, string, error) {
	dir, pkg, err := runningPackage(ctx, c)
	if err != nil || pkg == "" {
		return nil, file, cmp.Or(err, without)
	}
	if dir != p.Work && !filepath.IsAbs(file) {
		file = filepath.Join(p.Work, file)
	}
	p.Work, p.Flags.Package = dir, pkg
	cfg, err := p.Load()
	return cfg, file, err
}
