package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/translate"
)

// draft is the devguard.toml that init is about to write.
type draft struct {
	dir       string
	hooks     []preset
	database  string // the line about the database that migrations would change
	pkg       string // the package that devguard run would run
	noPackage error  // why there is none
}

const draftHead = `# Written by devguard init. Every key has a default, so each line here can go; config.example.toml of devguard
# documents them all. Paths and globs are relative to this file, and hooks run in its directory. devguard reads the
# file again when it is saved.

[app]
`

const hooksHead = `
# Hooks run before the build, in this order, when the contents of their watch files differ from their last success. Check
# that each watches all that its generator reads.
`

func (d draft) text() string {
	var b strings.Builder
	b.WriteString(draftHead)
	b.WriteString(d.app())
	if len(d.hooks) > 0 {
		b.WriteString(hooksHead)
	}
	for _, hook := range d.hooks {
		b.WriteString("\n" + d.block(hook))
	}
	return b.String()
}

// app is the line that says what to run, commented out with the reason when
// that cannot be told.
func (d draft) app() string {
	if d.noPackage != nil {
		reason := d.noPackage.Error()
		if hint := logline.HintOf(d.noPackage); hint != "" {
			reason += "; " + hint
		}
		return "# " + translate.OneLine(reason) + "\n# package = \"./cmd/app\"\n"
	}
	return "package = " + translate.String(d.pkg) + "\n"
}

// next is what to type after init: what devguard run would say itself, when it would not run.
func (d draft) next() string {
	if hint := logline.HintOf(d.noPackage); hint != "" {
		return translate.OneLine(hint)
	}
	return "devguard run"
}

// block is one [[hook]]; those that migrate are commented out.
func (d draft) block(p preset) string {
	var b strings.Builder
	b.WriteString("[[hook]]\n")
	fmt.Fprintf(&b, "name = %s\n", translate.String(p.name))
	fmt.Fprintf(&b, "watch = %s\n", translate.List(p.watch))
	fmt.Fprintf(&b, "run = %s\n", translate.String(p.run))
	if len(p.outputs) > 0 {
		fmt.Fprintf(&b, "outputs = %s\n", translate.List(p.outputs))
	}
	if !p.migrates {
		if p.comment != "" {
			return "# " + p.comment + "\n" + b.String()
		}
		return b.String()
	}
	b.WriteString("migrates = true\n")
	commented := "# " + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n# ") + "\n"
	return fmt.Sprintf("# %s: take the marks off the [[hook]] below and each change of %s is applied by itself.\n# %s\n%s",
		p.name, p.from, d.database, commented)
}

// report tells what was written.
func (d draft) report(w io.Writer, target string, cut bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "wrote %s\n", config.Shown(target))
	for _, hook := range d.hooks {
		if hook.migrates {
			fmt.Fprintf(&b, "  %s (%s): commented out; read there which database it would change\n", hook.name, hook.from)
		} else {
			fmt.Fprintf(&b, "  hook %q, for %s\n", hook.name, hook.from)
		}
	}
	if len(d.hooks) == 0 {
		b.WriteString("  no generator was found that would need a hook\n")
	}
	if cut {
		fmt.Fprintf(&b, "  only the first %d files and directories were looked at\n", surveyEntries)
	}
	for _, old := range translatable {
		if _, err := os.Stat(filepath.Join(d.dir, old)); err == nil {
			fmt.Fprintf(&b, "  there is %s, which was not read; to have it translated instead: rm %s && devguard init --from %[1]s\n", old, config.File)
		}
	}
	fmt.Fprintf(&b, "next: %s\n", d.next())
	_, err := io.WriteString(w, b.String())
	return err
}

// translatable are the files of other tools that --from takes.
var translatable = []string{".air.toml", ".air.conf", "air.conf", ".config/air.toml", "reflex.conf", "nodemon.json"}
