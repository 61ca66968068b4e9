package logline

import (
	"log/slog"
	"time"
)

// Watching says what is watched; mode is events or poll.
func Watching(dirs, files int, mode string) Line {
	return line(slog.LevelInfo, MsgWatching, slog.Int("dirs", dirs), slog.Int("files", files), slog.String("mode", mode))
}

// Changed names the files behind the generation to come, relative to the
// configuration.
func Changed(g int, names []string) Line {
	return line(slog.LevelInfo, MsgChanged, gen(g), paths(names))
}

// Ignored says why a change asks for nothing.
func Ignored(names []string, reason string) Line {
	return line(slog.LevelDebug, MsgIgnored, paths(names), slog.String("reason", reason))
}

// Waiting says of something that is due what it waits for.
func Waiting(what, reason string) Line {
	return line(slog.LevelDebug, MsgWaiting, slog.String("what", what), slog.String("reason", reason))
}

func hook(level slog.Level, msg string, g int, name string) Line {
	return line(level, msg, gen(g), slog.String("hook", name))
}

// HookStarted says that a hook runs, for the generation it would become.
func HookStarted(g int, name string) Line {
	return hook(slog.LevelInfo, MsgHookStarted, g, name)
}

// HookFinished says that a hook succeeded.
func HookFinished(g int, name string, took time.Duration) Line {
	return hook(slog.LevelInfo, MsgHookFinished, g, name).With(ms(took))
}

// HookFailed says why a hook failed. code is -1 when a signal ended it or it
// never ran; serving is the generation that keeps running, 0 if none does.
func HookFailed(g int, name string, took time.Duration, code int, signal string, serving int, err error) Line {
	return hook(slog.LevelError, MsgHookFailed, g, name).With(ms(took), slog.Int("code", code)).
		withString("signal", signal).withGen("serving", serving).withError(err)
}

// HookHeld says what a migrating hook waits for.
func HookHeld(g int, name, reason string) Line {
	return hook(slog.LevelWarn, MsgHookHeld, g, name).With(slog.String("reason", reason))
}

// HookSuspended names the files that made a hook run again and again.
func HookSuspended(g int, name string, names []string) Line {
	return hook(slog.LevelWarn, MsgHookSuspended, g, name).With(paths(names))
}

// BuildStarted says that a build runs.
func BuildStarted(g int) Line { return line(slog.LevelInfo, MsgBuildStarted, gen(g)) }

// BuildFinished says that a build succeeded.
func BuildFinished(g int, took time.Duration) Line {
	return line(slog.LevelInfo, MsgBuildFinished, gen(g), ms(took))
}

// FastBuildFinished says that a build succeeded without the go command.
func FastBuildFinished(g int, took time.Duration) Line {
	return BuildFinished(g, took).With(slog.String("way", "fast"))
}

// BuildByGo says why the go command builds what might have been built faster.
func BuildByGo(g int, reason string) Line {
	return line(slog.LevelDebug, MsgBuildByGo, gen(g), slog.String("reason", reason))
}

// BuildVerified says that the go command builds what generation g is; reason is why no edit of it is
// built without that, "" when some are.
func BuildVerified(g int, reason string) Line {
	return line(slog.LevelDebug, MsgBuildVerified, gen(g)).withString("reason", reason)
}

// BuildDiffers says that a fast build has made another program than the go command, whose program
// becomes generation g; kept is the directory that has both, "" when they could not be kept.
func BuildDiffers(g int, kept string) Line {
	report := "report this with that directory"
	if kept == "" {
		report = "report this"
	}
	return line(slog.LevelError, MsgBuildDiffers, gen(g)).withString("kept", kept).
		With(slog.String("hint", report+"; until devguard is started again, the go command builds everything"))
}

// BuildFailed says why a build failed: by messages about files or, when there
// are none, by the error. serving is the generation that keeps running, 0 if
// none does.
func BuildFailed(g int, took time.Duration, serving int, err error, errs Diagnostics) Line {
	l := line(slog.LevelError, MsgBuildFailed, gen(g), ms(took)).withGen("serving", serving)
	if errs.Total == 0 {
		return l.withError(err)
	}
	l = l.With(slog.Any("errors", errs))
	if err != nil {
		l = l.withString("hint", HintOf(err))
	}
	return l
}

// BuildCancelled says that a newer change ended a build.
func BuildCancelled(g int, took time.Duration) Line {
	return line(slog.LevelInfo, MsgBuildCancelled, gen(g), ms(took))
}

// RestartSkipped says why a build is not served.
func RestartSkipped(g int, reason string) Line {
	return line(slog.LevelInfo, MsgRestartSkipped, gen(g), slog.String("reason", reason))
}

// RestartRefused says why the next generation cannot be started; serving is the
// one that keeps running.
func RestartRefused(g, serving int, err error) Line {
	return line(slog.LevelError, MsgRestartSkipped, gen(g), slog.String("reason", err.Error())).
		withGen("serving", serving).withString("hint", HintOf(err))
}

// RestartSuspended names the files that no longer restart the app at once, because it
// writes them itself; exclude is the line of devguard.toml that says so for good.
func RestartSuspended(g int, names []string, exclude string) Line {
	return line(slog.LevelWarn, MsgRestartSuspended, gen(g), paths(names),
		slog.String("hint", "if that is right, say so in devguard.toml: "+exclude+
			"; until then it is taken up with an edit elsewhere, by the key r, or once in a while"))
}

// InstanceStopping says that a generation is asked to end. When connections of clients were ended for
// that, it is said once more at the end of the stop, with their number: hungUp, which is 0 before.
func InstanceStopping(g, pid, hungUp int) Line {
	l := line(slog.LevelInfo, MsgInstanceStopping, gen(g), slog.Int("pid", pid))
	if hungUp > 0 {
		l = l.With(slog.Int("hung_up", hungUp))
	}
	return l
}

// InstanceStarted names the process of a generation.
func InstanceStarted(g, pid int) Line {
	return line(slog.LevelInfo, MsgInstanceStarted, gen(g), slog.Int("pid", pid))
}

// Parts are how long the steps took that have led to a generation, as docs/json.md has them; zero: it
// did not happen, or cannot be told.
type Parts struct{ Settle, Hooks, Build, Link, Stop, Drain, Start time.Duration }

// InstanceReady says by which rule a generation serves, and how long after its
// start, and after the save that led to it; 0 if there was none.
func InstanceReady(g int, rule string, took, saveToReady time.Duration, p Parts) Line {
	l := line(slog.LevelInfo, MsgInstanceReady, gen(g), slog.String("rule", rule), ms(took)).
		withMillis("save_to_ready_ms", saveToReady).
		withMillis("settle_ms", p.Settle).withMillis("hooks_ms", p.Hooks).withMillis("build_ms", p.Build)
	if p.Link > 0 {
		l = l.withMillis("compile_ms", p.Build-p.Link).withMillis("link_ms", p.Link)
	}
	return l.withMillis("stop_ms", p.Stop).withMillis("drain_ms", p.Drain).withMillis("start_ms", p.Start)
}

// InstanceNotReady says what was awaited in vain.
func InstanceNotReady(g int, err error) Line {
	return line(slog.LevelWarn, MsgInstanceNotReady, gen(g)).withError(err)
}

// InstanceExited says how a process ended: code is -1 with a signal, which is
// named like "SIGKILL". asked means that devguard ended it.
func InstanceExited(g, code int, signal string, asked bool) Line {
	level := slog.LevelError
	switch {
	case asked:
		level = slog.LevelInfo
	case code == 0:
		level = slog.LevelWarn
	}
	return line(level, MsgInstanceExited, gen(g), slog.Int("code", code)).withString("signal", signal)
}

// SocketLetGo says why a listening socket is not held for the next generation any more.
func SocketLetGo(address, reason string) Line {
	return line(slog.LevelInfo, MsgSocketLetGo, slog.String("address", address), slog.String("reason", reason))
}

// Front says where devguard answers for the app.
func Front(address string) Line {
	return line(slog.LevelInfo, MsgFront, slog.String("address", address))
}

// SocketsNotHeld says why no listening socket is held any more in this run. The app runs as it
// would without devguard, so it is no warning.
func SocketsNotHeld(reason, hint string) Line {
	if hint == "" {
		hint = "hold_sockets = false below [app] in devguard.toml asks for that"
	}
	return line(slog.LevelInfo, MsgSocketsNotHeld, slog.String("reason", reason), slog.String("hint", hint))
}

// CrashWaiting says when an app that crashed is started again.
func CrashWaiting(g int, wait time.Duration) Line {
	return line(slog.LevelWarn, MsgCrashWaiting, gen(g), ms(wait))
}

// Failed is one of the lines about something that did not work and stops
// nothing; g is 0 when it is about no generation.
func Failed(msg string, g int, err error) Line {
	return line(slog.LevelError, msg).withGen("gen", g).withError(err)
}

// LeftoverEnded names a process that an earlier devguard left behind.
func LeftoverEnded(pid int) Line {
	return line(slog.LevelInfo, MsgLeftoverEnded, slog.Int("pid", pid))
}

// NoKeys says why keys are not read at a terminal.
func NoKeys(err error) Line { return line(slog.LevelDebug, MsgNoKeys).withError(err) }

// LinesLost says how many lines are missing in this place of the log.
func LinesLost(lines int) Line {
	return line(slog.LevelWarn, MsgLinesLost, slog.Int("lines", lines))
}

// ConfigApplied says that a changed devguard.toml is in force.
func ConfigApplied() Line { return line(slog.LevelInfo, MsgConfigApplied) }

// Note is a message with no fixed wording, like the watcher's.
func Note(warn bool, msg, hint string) Line {
	return line(levelOf(warn), msg).withString("hint", hint)
}

// Warning is an error that stops nothing.
func Warning(err error) Line { return Note(true, err.Error(), HintOf(err)) }
