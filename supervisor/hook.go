package supervisor

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/hook"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
)

// decisions are the settings that the decider needs, with what is remembered of hooks.
func (s *Supervisor) decisions(cfg *config.Config) reload.Options {
	env, err := s.baseEnv(cfg)
	if err != nil {
		env = s.Environ // the start says what is wrong
	}
	return decisions(cfg, env, func(key string) string {
		run, err := s.StateDir.Hooks().Last(key)
		s.warn(err)
		return run.Fingerprint
	})
}

// hookRun is one run of a hook, with the configuration that it was decided by.
type hookRun struct {
	reload.RunHook
	cfg  *config.Config
	db   *Database
	hook config.Hook
}

// runHook runs one hook and lets the watcher see what it wrote before anything
// is decided.
func (s *Supervisor) runHook(e reload.RunHook) doer {
	r := hookRun{e, s.cfg, s.db, s.cfg.Hooks[e.Hook]}
	return func(ctx context.Context) reload.Event {
		began := time.Now()
		res := s.runOnce(ctx, r)
		ev := reload.HookDone{ID: e.ID, Took: time.Since(began), Err: res.Err, Detail: res}
		var err error
		ev.Snapshot, err = s.lookAgain(context.WithoutCancel(ctx), true)
		if ev.Err == nil {
			ev.Err = err
		}
		return ev
	}
}

// runOnce runs a hook unless another devguard of the project has done so with the same
// files since the decider last heard of it: it waits for one that is at it, and looks
// what that has left.
func (s *Supervisor) runOnce(ctx context.Context, r hookRun) hook.Result {
	fail := func(err error) hook.Result { return hook.Result{Err: err, Code: -1} }
	base, env, err := s.hookEnv(ctx, r)
	if err != nil {
		return fail(err)
	}
	hooks, key := s.StateDir.Hooks(), hookKey(r.cfg, r.hook, base)
	before, _ := hooks.Last(key)
	lock, err := hooks.Lock(ctx, key, func(name string, pid int) {
		logline.Note(false, fmt.Sprintf("hook %s waits for the devguard %q (pid %d), which runs it", r.hook.Name, name, pid), "").To(s.Log)
	})
	if err != nil {
		return fail(err)
	}
	defer lock.Release()
	resume := r.db.pause(ctx, r.hook, env)
	last, err := hooks.Last(key)
	s.warn(err)
	if r.done(before, last) {
		resume(true)
		logline.Note(false, fmt.Sprintf("hook %s was run by the devguard %q, and is not run again", r.hook.Name, last.Name), "").To(s.Log)
		return hook.Result{}
	}
	res := hook.Run(ctx, r.spec(env))
	resume(res.Err == nil)
	s.warn(lock.Save(r.fingerprint(res.Err)))
	return res
}

// hookEnv returns the environment that the app would get, and the hook's, which is made
// of it.
func (s *Supervisor) hookEnv(ctx context.Context, r hookRun) (base, env []string, err error) {
	if err = s.mendFolder(); err != nil {
		return nil, nil, err
	}
	if base, err = s.baseEnv(r.cfg); err != nil {
		return nil, nil, err
	}
	env, err = r.db.hookEnv(ctx, base, r.hook.Migrates)
	return base, env, err
}

func (r hookRun) spec(env []string) hook.Spec {
	changed := make([]string, len(r.Changed))
	for i, p := range r.Changed {
		changed[i] = r.cfg.Rel(p.Name)
	}
	return hook.Spec{
		Name: r.hook.Name, Shell: r.hook.Shell, Command: r.hook.Command,
		Dir: r.cfg.Dir, Env: env, Changed: changed,
	}
}

// done reports whether last, which was before when we began, is a success with the same
// files that the decider has not heard of.
func (r hookRun) done(before, last statedir.HookRun) bool {
	want := hex.EncodeToString(r.Watch[:])
	return last.Fingerprint == want && (r.Last != r.Watch || last.Count != before.Count)
}

// fingerprint is what to remember of a run; what a failure has left is of no state.
func (r hookRun) fingerprint(err error) string {
	if err != nil {
		return ""
	}
	return hex.EncodeToString(r.Watch[:])
}
