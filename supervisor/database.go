package supervisor

import (
	"context"

	"github.com/devguard/devguard/supervisor/config"
)

// Database is what the loop needs of the database side. A nil function does
// nothing. A generation keeps the Database that it was started with, also when
// devguard.toml has brought a new one since.
type Database struct {
	// AppEnv returns the environment of a generation made of base. It waits
	// only for a server that devguard itself starts.
	AppEnv func(ctx context.Context, gen int, base []string) ([]string, error)
	// HookEnv returns the environment of a hook.
	HookEnv func(ctx context.Context, base []string, migrates bool) ([]string, error)
	// Pause keeps the app for a while from the schema that a hook with this name and
	// environment is about to change, and returns what ends that; migrated says
	// whether the hook has changed it.
	Pause func(ctx context.Context, hook string, env []string) (resume func(migrated bool))
	// Note is told the pids of a generation while they still hold their sockets.
	Note func(gen int, pids []int)
	// Drain ends the sessions of a generation whose processes are gone.
	Drain func(ctx context.Context, gen int)
	// Status returns how the databases stand, and Reset ends the sessions of the app,
	// which goes on, and returns what was done. Both are for JSON.
	Status func() any
	Reset  func(ctx context.Context) any
	// Close ends what the Database holds.
	Close func() error
}

// App is what the database side may ask of the app. The functions may be called
// at any time, from anywhere.
type App struct {
	// Replace asks for a restart without a build: the environment that the
	// running generation was started with is no good any more. It does not wait.
	Replace func()
	// Pids returns the processes of the generation that runs, and its number; 0
	// when none does. It waits for a start that is under way: whoever asks may be
	// asking because of that one.
	Pids func() (gen int, pids []int)
	// Imports returns the import paths of the packages that the app is built from, but
	// for the standard library's; known is false until they were listed. Of a command
	// there are none.
	Imports func() (paths []string, known bool)
}

func (d *Database) appEnv(ctx context.Context, gen int, base []string) ([]string, error) {
	if d.AppEnv == nil {
		return base, nil
	}
	return d.AppEnv(ctx, gen, base)
}

func (d *Database) hookEnv(ctx context.Context, base []string, migrates bool) ([]string, error) {
	if d.HookEnv == nil {
		return base, nil
	}
	return d.HookEnv(ctx, base, migrates)
}

// pause is for a hook that may migrate; for any other it does nothing.
func (d *Database) pause(ctx context.Context, h config.Hook, env []string) (resume func(migrated bool)) {
	if d.Pause == nil || !h.Migrates {
		return func(bool) {}
	}
	return d.Pause(ctx, h.Name, env)
}

func (d *Database) note(gen int, pids []int) {
	if d.Note != nil {
		d.Note(gen, pids)
	}
}

func (d *Database) drain(ctx context.Context, gen int) {
	if d.Drain != nil {
		d.Drain(ctx, gen)
	}
}

// status is that of a Database that may be nil, as it is before the first generation.
func (d *Database) status() any {
	if d == nil || d.Status == nil {
		return nil
	}
	return d.Status()
}

// reset does nothing to a nil Database.
func (d *Database) reset(ctx context.Context) any {
	if d == nil || d.Reset == nil {
		return nil
	}
	return d.Reset(ctx)
}

func (d *Database) close() error {
	if d.Close == nil {
		return nil
	}
	return d.Close()
}
