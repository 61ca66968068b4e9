package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
)

// Explain says what a change of file would do, and why. file is relative to
// cfg.Work; classify is asked with its absolute path, and its indices are those
// of cfg.Hooks. A file that does not exist is explained as if it were created.
func Explain(w io.Writer, cfg *config.Config, file string, classify func(path string) classify.Class) error {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(cfg.Work, path)
	}
	info, err := os.Stat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return fmt.Errorf("explain %s: %w", file, err)
	}
	if err == nil && info.IsDir() {
		_, err := fmt.Fprintf(w, "%s: a directory: what a change does is decided file by file, so explain one of its files\n", file)
		return err
	}
	_, err = io.WriteString(w, explanation(file, missing, classify(filepath.Clean(path)), cfg.Hooks))
	return err
}

// explanation is the text for one file: what, why, and how to change that.
func explanation(file string, missing bool, class classify.Class, hooks []config.Hook) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", file, verdict(class, hooks))
	if class.Reason != "" {
		fmt.Fprintf(&b, "  why: %s\n", class.Reason)
	}
	if missing {
		b.WriteString("  the file does not exist: this is what creating it would do\n")
	}
	if class.Ignored() && class.Suggest != "" {
		fmt.Fprintf(&b, "  to restart on it, set watch.include in %s:\n", config.File)
		// As a table, not as the dotted key that class has: at the end of a
		// file that would belong to its last table.
		fmt.Fprintf(&b, "    [watch]\n    %s\n", strings.TrimPrefix(class.Suggest, "watch."))
		b.WriteString(fetched(file))
	}
	return b.String()
}

// fetched is what to know of a file that pages fetch by way of the app; "" of another.
func fetched(file string) string {
	const served = "  if the app reads it for each request, no restart is needed, only a reload of the page; "
	switch strings.ToLower(filepath.Ext(file)) {
	case ".css", ".js":
		return served + "devguard run --front does that\n"
	case ".mjs", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico", ".woff", ".woff2":
		return served + "devguard run --front does that for what front.reload names\n"
	}
	return ""
}

// pages says what pages that are open do about a file.
func pages(asset classify.Asset) string {
	if asset == classify.Style {
		return "pages take their stylesheets anew"
	}
	return "pages reload"
}

// verdict is what happens on a change, in order. It begins with one of
// "nothing", "hook", "rebuild", "restart", "pages" and "read again".
func verdict(class classify.Class, hooks []config.Hook) string {
	if class.Ignored() {
		return "nothing"
	}
	var steps []string
	if class.Config {
		steps = append(steps, "read again")
	}
	build, restart := class.Source, class.Runtime || class.Env || class.Config
	migrates, reload := false, class.Asset != 0
	for _, i := range class.Hooks {
		hook := hooks[i]
		steps = append(steps, fmt.Sprintf("hook %q", hook.Name))
		build = build || hook.Then == config.ThenRebuild
		restart = restart || hook.Then == config.ThenRestart
		migrates = migrates || hook.Migrates
		reload = reload || hook.Then == config.ThenReload
	}
	switch {
	case class.Shape && !build && !restart && len(steps) == 0:
		return "nothing, unless the line that keeps it out of the build changes"
	case build && (restart || migrates):
		steps = append(steps, "rebuild", "restart")
	case build:
		steps = append(steps, "rebuild", "restart if the program differs")
	case restart:
		steps = append(steps, "restart without a build")
	case migrates:
		steps = append(steps, "restart after the next build")
	case reload:
		steps = append(steps, pages(class.Asset))
	}
	return strings.Join(slices.Compact(steps), ", then ")
}
