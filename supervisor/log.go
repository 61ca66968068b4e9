package supervisor

import (
	"fmt"
	"io"
	"slices"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/console"
	"github.com/devguard/devguard/supervisor/hook"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// log writes a line that the decider asked for. The wording is console's.
func (s *Supervisor) log(l reload.Log) {
	for _, line := range s.lines(l) {
		line.To(s.Log)
	}
}

func (s *Supervisor) lines(l reload.Log) []logline.Line {
	switch l.What {
	case reload.LogChanged:
		return one(logline.Changed(l.Gen, s.names(l.Paths)))
	case reload.LogIgnored:
		return s.ignored(l.Paths)
	case reload.LogNote:
		return one(logline.Note(l.Note.Warn, l.Note.Msg, l.Note.Hint))
	case reload.LogConfigApplied:
		return one(logline.ConfigApplied())
	case reload.LogConfigInvalid:
		return one(logline.Failed(logline.MsgConfigInvalid, 0, l.Err))
	case reload.LogListFailed:
		return one(logline.Failed(logline.MsgListFailed, 0, l.Err))
	case reload.LogWaiting:
		return one(logline.Waiting(l.Hold.What, l.Hold.Reason))
	case reload.LogWarning:
		return one(logline.Warning(l.Err))
	case reload.LogHookStarted, reload.LogHookFinished, reload.LogHookFailed, reload.LogHookHeld, reload.LogHookSuspended:
		return one(s.hookLine(l))
	case reload.LogBuildStarted, reload.LogBuildFinished, reload.LogBuildFailed, reload.LogBuildCancelled, reload.LogBuildByGo, reload.LogBuildVerified, reload.LogBuildDiffers, reload.LogRestartSkipped:
		return s.buildLines(l)
	}
	return s.instanceLines(l)
}

// warn says what went wrong and stops nothing. It may be called from anywhere.
func (s *Supervisor) warn(err error) {
	if err != nil {
		logline.Warning(err).To(s.Log)
	}
}

// help tells what the keys do.
func (s *Supervisor) help() { _, _ = io.WriteString(s.Screen, console.KeysHelp) }

func one(l logline.Line) []logline.Line { return []logline.Line{l} }

func (s *Supervisor) hookLine(l reload.Log) logline.Line {
	switch l.What {
	case reload.LogHookStarted:
		return logline.HookStarted(l.Gen, l.Hook)
	case reload.LogHookFinished:
		return logline.HookFinished(l.Gen, l.Hook, l.Took)
	case reload.LogHookHeld:
		return logline.HookHeld(l.Gen, l.Hook, "git is in the middle of a rebase, merge or bisect")
	case reload.LogHookSuspended:
		names := s.names(l.Paths) // a name for each of its runs
		slices.Sort(names)
		return logline.HookSuspended(l.Gen, l.Hook, slices.Compact(names))
	}
	res, ran := l.Detail.(hook.Result)
	if !ran {
		res.Code = -1
	}
	return logline.HookFailed(l.Gen, l.Hook, l.Took, res.Code, res.Signal, s.serving(), l.Err)
}

func (s *Supervisor) buildLines(l reload.Log) []logline.Line {
	if l.What == reload.LogBuildFinished && l.Reason != "" {
		return []logline.Line{logline.BuildByGo(l.Gen, l.Reason), s.buildLine(l)}
	}
	return one(s.buildLine(l))
}

func (s *Supervisor) buildLine(l reload.Log) logline.Line {
	if l.What == reload.LogBuildFinished && l.Fast {
		return logline.FastBuildFinished(l.Gen, l.Took)
	}
	switch l.What {
	case reload.LogBuildByGo:
		return logline.BuildByGo(l.Gen, l.Reason)
	case reload.LogBuildVerified:
		return logline.BuildVerified(l.Gen, l.Reason)
	case reload.LogBuildDiffers:
		return logline.BuildDiffers(l.Gen, l.Reason)
	case reload.LogBuildStarted:
		return logline.BuildStarted(l.Gen)
	case reload.LogBuildFinished:
		return logline.BuildFinished(l.Gen, l.Took)
	case reload.LogBuildCancelled:
		return logline.BuildCancelled(l.Gen, l.Took)
	case reload.LogRestartSkipped:
		return logline.RestartSkipped(l.Gen, l.Reason)
	}
	errs, _ := l.Detail.(logline.Diagnostics)
	return logline.BuildFailed(l.Gen, l.Took, s.serving(), l.Err, errs)
}

func (s *Supervisor) instanceLines(l reload.Log) []logline.Line {
	switch l.What {
	case reload.LogInstanceStopping:
		return one(logline.InstanceStopping(l.Gen, l.PID, l.HungUp))
	case reload.LogInstanceStarted:
		return one(logline.InstanceStarted(l.Gen, l.PID))
	case reload.LogInstanceReady:
		return one(logline.InstanceReady(l.Gen, l.Rule, l.Took, l.SaveToReady, logline.Parts(l.Parts)))
	case reload.LogInstanceNotReady:
		return one(logline.InstanceNotReady(l.Gen, l.Err))
	case reload.LogInstanceExited:
		exited := one(logline.InstanceExited(l.Gen, l.Code, l.Signal, l.Asked))
		if note, ok := l.Detail.(change.Note); ok && !l.Asked {
			exited = append(exited, logline.Note(note.Warn, note.Msg, note.Hint))
		}
		return exited
	case reload.LogRestartSuspended:
		return one(logline.RestartSuspended(l.Gen, s.names(l.Paths), s.excludeLine(l.Paths)))
	case reload.LogRestartRefused:
		return one(logline.RestartRefused(l.Gen, s.serving(), l.Err))
	case reload.LogStartFailed:
		return one(logline.Failed(logline.MsgStartFailed, l.Gen, l.Err))
	case reload.LogStopTrouble:
		return one(logline.Failed(logline.MsgStopTrouble, l.Gen, l.Err))
	case reload.LogCrashWaiting:
		return one(logline.CrashWaiting(l.Gen, l.Took))
	}
	panic(fmt.Sprintf("BUG: no words for line %d of the log", l.What))
}

// serving is the generation that runs, 0 if none does.
func (s *Supervisor) serving() int {
	if g := s.newest.Load(); g != nil && g.runs() {
		return g.number
	}
	return 0
}

// names are paths as devguard.toml would name them.
func (s *Supervisor) names(paths []change.Path) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = s.cfg.Rel(p.Name)
	}
	return out
}

// excludeLine is the line of devguard.toml with which these files restart nothing.
func (s *Supervisor) excludeLine(paths []change.Path) string {
	files := make([]string, len(paths))
	for i, p := range paths {
		files[i] = p.Name
	}
	return Rules(s.cfg, s.graph).ExcludeLine(files)
}

// ignored is one line for each reason. There may be thousands of paths.
func (s *Supervisor) ignored(paths []change.Path) []logline.Line {
	if !s.Config.Verbose { // as the log was made: it shows none of them
		return nil
	}
	var out []logline.Line
	var same []change.Path
	for i, p := range paths {
		same = append(same, p)
		if i+1 == len(paths) || paths[i+1].Class.Reason != p.Class.Reason {
			out = append(out, logline.Ignored(s.names(same), p.Class.Reason))
			same = nil
		}
	}
	return out
}

// logWatching says what is watched when that is news.
func (s *Supervisor) logWatching(w watched) {
	if w != s.watched {
		s.watched = w
		logline.Watching(w.dirs, w.files, w.mode).To(s.Log)
	}
}

// watched is what the line `watching` says.
type watched struct {
	dirs, files int
	mode        string
}
