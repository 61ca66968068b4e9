package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/translate"
)

// fromMost is the most bytes of a configuration that is translated, as of one that is read.
const fromMost = 1 << 20

// InitFrom writes devguard.toml into dir for the configuration of another tool, and tells w what of
// it has no place there. source is a file, relative to dir, or "-" for stdin. Variables that the
// other tool sets go into a file beside devguard.toml. Nothing is overwritten: an existing file is a
// UsageError; what is wrong with the source is a config.Errors.
func InitFrom(w io.Writer, dir, source string, stdin io.Reader) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	target, variables := filepath.Join(dir, config.File), filepath.Join(dir, translate.EnvFile)
	if _, err := os.Lstat(target); err == nil {
		return exists(target)
	}
	data, err := readSource(dir, source, stdin)
	if err != nil {
		return err
	}
	made, err := translate.Translate(source, data, facts(dir))
	if err != nil {
		return err
	}
	cfg, err := config.Parse(config.File, target, dir, []byte(made.Text))
	if err != nil {
		return fmt.Errorf("init: BUG: the file would not be valid: %w", err)
	}
	if made.Env != "" {
		if err := create(variables, made.Env, 0o600); err != nil {
			return err
		}
	}
	if err := create(target, made.Text, 0o644); err != nil {
		if made.Env != "" {
			err = errors.Join(err, os.Remove(variables))
		}
		return err
	}
	return reportFrom(w, cfg, made)
}

// readSource reads what is to be translated.
func readSource(dir, source string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if source != "-" {
		path := source
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, config.Errors{{File: source, Msg: "cannot be read: " + reasonOf(err), Next: "check the path after --from"}}
		}
		defer file.Close() // only read from
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, fromMost+1))
	switch {
	case err != nil:
		return nil, config.Errors{{File: source, Msg: "cannot be read: " + reasonOf(err), Next: "name a file after --from"}}
	case len(data) > fromMost:
		return nil, config.Errors{{File: source, Msg: "is longer than 1 MiB", Next: "name a configuration after --from"}}
	}
	return data, nil
}

// reasonOf is an error without the path, which the message already has.
func reasonOf(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// facts are what a translation asks about the project in dir.
func facts(dir string) translate.Facts {
	return translate.Facts{
		GOOS:    runtime.GOOS,
		Package: func(files []string) (string, bool) { return config.FilesPackage(dir, files, nil) },
		Exists: func(file string) bool {
			if file = filepath.FromSlash(file); !filepath.IsAbs(file) {
				file = filepath.Join(dir, file)
			}
			info, err := os.Stat(file)
			return err == nil && info.Mode().IsRegular()
		},
	}
}

// reportFrom tells what was written, and what the other tool did that devguard will not do.
func reportFrom(w io.Writer, cfg *config.Config, made *translate.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "wrote %s\n", config.Shown(cfg.Path))
	if made.Env != "" {
		fmt.Fprintf(&b, "wrote %s, with the variables of the app\n", config.Shown(filepath.Join(cfg.Dir, translate.EnvFile)))
	}
	for _, line := range made.Left() {
		fmt.Fprintf(&b, "  not translated: %s\n", line)
	}
	if _, err := config.Resolve(cfg); err != nil {
		fmt.Fprintf(&b, "  to be put right: %s\n", err)
		if hint := logline.HintOf(err); hint != "" {
			fmt.Fprintf(&b, "    %s\n", hint)
		}
	}
	if n := made.Omitted(); n > 0 {
		fmt.Fprintf(&b, "  settings left out: %d; comments at the end of %s say why\n", n, config.File)
	}
	b.WriteString("next: read it, then devguard run")
	if cfg.Front.Listen != "" {
		fmt.Fprintf(&b, ", and open http://%s in the browser", cfg.Front.Listen)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
