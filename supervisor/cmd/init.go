package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/dotenv"
)

// Init writes devguard.toml into dir for what it finds there, and tells w about
// it. environ is where database variables are looked for, by name only. An
// existing file is a UsageError.
func Init(w io.Writer, dir string, environ []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	target := filepath.Join(dir, config.File)
	if _, err := os.Lstat(target); err == nil {
		return exists(target)
	}
	found, err := look(dir, surveyEntries)
	if err != nil {
		return fmt.Errorf("init: look through %s: %w", dir, err)
	}
	variable, where := databaseVariable(dir, environ)
	d := draft{dir: dir, hooks: found.presets(variable), database: databaseComment(variable, where)}
	d.pkg, d.noPackage = config.ResolvePackage(config.Default(dir), "")
	text := d.text()
	if _, err := config.Parse(config.File, target, dir, []byte(text)); err != nil {
		return fmt.Errorf("init: BUG: the file would not be valid: %w", err)
	}
	if err := create(target, text, 0o644); err != nil {
		return err
	}
	return d.report(w, target, found.cut)
}

func exists(target string) error {
	return &UsageError{Msg: config.Shown(target) + " exists already, and is never overwritten", Next: "edit it, or move it away first"}
}

// create writes a file that must not exist yet. A half-written one is removed:
// the next devguard would read it.
func create(target, text string, mode fs.FileMode) error {
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return exists(target)
	}
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("init: %w", errors.Join(err, os.Remove(target)))
	}
	return nil
}

// databaseVariable is the variable that names the project's database, and where
// it is set: "the environment", a file, or "" when nowhere. Values are looked at
// for their scheme only.
func databaseVariable(dir string, environ []string) (name, where string) {
	sources := [][2]any{{"the environment", environ}}
	for _, file := range []string{".env.local", ".env.development", ".env"} {
		// A file that is missing or broken defines nothing here.
		if env, err := config.ReadEnvFiles([]string{filepath.Join(dir, file)}, nil); err == nil {
			sources = append(sources, [2]any{file, env})
		}
	}
	usual := dotenv.DatabaseURLs()
	for _, known := range append(usual, "") {
		for _, source := range sources {
			for _, pair := range source[1].([]string) {
				name, value, _ := strings.Cut(pair, "=")
				if name == known || known == "" && isDatabaseURL(value) {
					return name, source[0].(string)
				}
			}
		}
	}
	return usual[0], ""
}

func isDatabaseURL(value string) bool {
	return strings.HasPrefix(value, "postgres://") || strings.HasPrefix(value, "postgresql://")
}

// databaseComment says in one line which database a migration would change.
func databaseComment(variable, where string) string {
	if where == "" {
		where = "not set now"
	} else {
		where = "now set in " + where
	}
	return fmt.Sprintf("It would change the database that %s names (%s), by way of %s where that is set.", variable, where, dotenv.DirectDatabaseURL)
}
