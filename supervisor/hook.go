package supervisor

import (
	"context"
	"encoding/hex"

	"github.com/devguard/devguard/supervisor/hook"
	"github.com/devguard/devguard/supervisor/reload"
)

// runHook runs one hook and lets the watcher see what it wrote before anything
// is decided.
func (s *Supervisor) runHook(e reload.RunHook) doer {
	cfg, db := s.cfg, s.db
	h := cfg.Hooks[e.Hook]
	changed := make([]string, len(e.Changed))
	for i, p := range e.Changed {
		changed[i] = cfg.Rel(p.Name)
	}
	return func(ctx context.Context) reload.Event {
		ev := reload.HookDone{ID: e.ID}
		err := s.mendFolder()
		var env []string
		if err == nil {
			env, err = s.baseEnv(cfg)
		}
		if err == nil {
			env, err = db.hookEnv(ctx, env, h.Migrates)
		}
		if err != nil {
			ev.Err = err
			return ev
		}
		resume := db.pause(ctx, h, env)
		res := hook.Run(ctx, hook.Spec{
			Name: h.Name, Shell: h.Shell, Command: h.Command,
			Dir: cfg.Dir, Env: env, Changed: changed,
		})
		resume(res.Err == nil)
		ev.Took, ev.Err, ev.Detail = res.Took, res.Err, res
		fingerprint := "" // what a failure has left is of no state
		if res.Err == nil {
			fingerprint = hex.EncodeToString(e.Watch[:])
		}
		s.warn(s.StateDir.SaveHook(hookKey(h), fingerprint))
		ev.Snapshot, err = s.watch.Sync(context.WithoutCancel(ctx))
		if ev.Err == nil {
			ev.Err = err
		}
		return ev
	}
}
