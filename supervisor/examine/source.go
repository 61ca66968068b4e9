package examine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/watch"
)

// runs names what would run.
func runs(cfg *config.Config) string {
	if len(cfg.App.Command) > 0 {
		return cfg.App.Command[0] // its arguments may hold a secret
	}
	return cfg.App.Package
}

// goWait bounds a question to the go command; it may have to fetch the version that go.mod asks for.
const goWait = 20 * time.Second

// toolchain says what the go command says of itself and of the app's packages.
func toolchain(ctx context.Context, r Request, s supervisor.Survey) *doctor.Toolchain {
	t := &doctor.Toolchain{}
	if s.Err != nil {
		failed := trouble(s.Err)
		failed.Text = strings.Join(strings.Fields(failed.Text), " ")
		t.Failed = &failed
	}
	if g := s.Graph; g != nil {
		t.Packages, t.Modules, t.Directories = len(g.Imports), len(g.Roots), len(g.Dirs)
	}
	ctx, cancel := context.WithTimeout(ctx, goWait)
	defer cancel()
	ask := exec.CommandContext(ctx, "go", "env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOMOD", "GOWORK")
	ask.Dir, ask.Env = r.Config.App.BuildDir, r.Environ
	out, err := ask.Output()
	if err != nil {
		return t // what lists the packages says why
	}
	var env struct{ GOVERSION, GOOS, GOARCH, GOMOD, GOWORK string }
	if json.Unmarshal(out, &env) == nil {
		t.Version = fmt.Sprintf("%s for %s/%s", env.GOVERSION, env.GOOS, env.GOARCH)
		t.Module = moduleFiles(env.GOMOD, env.GOWORK)
	}
	return t
}

// moduleFiles names what says which modules the app is of. At the root of a workspace without a
// module of its own the go command gives /dev/null for go.mod.
func moduleFiles(mod, work string) string {
	var all []string
	for _, file := range []string{mod, work} {
		if file != "" && file != "off" && file != os.DevNull && file != "NUL" {
			all = append(all, config.Shown(file))
		}
	}
	return strings.Join(all, ", ")
}

// watchWait bounds the first search for files that watch.include names.
const watchWait = 20 * time.Second

// look starts a watcher as a run does, and says how that went.
func look(ctx context.Context, cfg *config.Config, s supervisor.Survey) *doctor.Watch {
	w := &doctor.Watch{Mode: "events"}
	watches, watchers := watch.InUse()
	w.Limit, w.Used, w.InstanceLimit, w.InstanceUsed = watches.Limit, watches.Used, watchers.Limit, watchers.Used
	_, w.FileSystem = watch.FileSystem(cfg.Dir)
	switch poll := cfg.Watch.Poll; poll.Mode {
	case config.PollOff:
		w.Asked = "off"
	case config.PollOn:
		w.Asked = poll.Every.String()
	}
	reliable := watch.FileSystem
	if s.Options.Local != nil {
		reliable = s.Options.Local
	}
	s.Options.Local = func(dir string) (bool, string) {
		ok, name := reliable(dir)
		if !ok && w.Remote == nil {
			w.Remote = &doctor.Remote{Dir: dir, Type: name}
		}
		return true, name // we say it in our own words
	}
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	if err := watchOnce(ctx, s, w); err != nil {
		w.Notes = append(w.Notes, doctor.Trouble{Text: fmt.Sprintf("the files could not all be looked at: %v", err), Fix: "narrow watch.include in devguard.toml, or exclude large directories"})
	}
	return w
}

// watchOnce watches until everything was looked at, and fills in what there is and what the watcher
// had to say.
func watchOnce(ctx context.Context, s supervisor.Survey, w *doctor.Watch) error {
	watcher, err := watch.New(s.Options)
	if err != nil {
		return err
	}
	defer watcher.Close()
	if _, err := watcher.Apply(ctx, s.Plan); err != nil {
		return err
	}
	snap, err := watcher.CatchUp(ctx)
	if err != nil {
		return err
	}
	w.Directories, w.Files, w.Mode = watcher.Stats()
	for {
		select {
		case set := <-watcher.Changes():
			w.Notes = append(w.Notes, notes(set.Notes)...)
			if set.Version >= snap.Version {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func notes(all []change.Note) (list []doctor.Trouble) {
	for _, n := range all {
		list = append(list, doctor.Trouble{Text: n.Msg, Fix: n.Hint})
	}
	return list
}
