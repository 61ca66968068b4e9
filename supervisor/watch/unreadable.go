package watch

import (
	"errors"
	"io/fs"
	"os"

	"github.com/devguard/devguard/supervisor/change"
)

// leaveOut names the directories that this user may not read, such as the data directory of a
// database in a container. Only they are left out: nothing can be read in them, by the app neither.
func (l *loop) leaveOut() {
	for path := range l.dirs.unreadable {
		delete(l.dirs.unreadable, path)
		d := l.dirs.byName[path]
		if d == nil {
			continue
		}
		switch {
		case d.kind&(chained|fallback|gitDir) != 0 && searchable(path):
			l.unheard(path)
		case d.kind&gitDir != 0:
			l.note(change.Note{
				Warn: true,
				Msg: path + " cannot be read (permission denied): whether git is in the middle of a rebase, merge or bisect is not known, " +
					"and hooks that migrate are not held",
				Hint: "have its owner type: chmod a+rx " + path,
			})
		case !l.plan.Rules.Excludes(path):
			l.note(change.Note{
				Warn: true,
				Msg:  path + " cannot be read (permission denied): it is not watched, everything else is",
				Hint: `if the app needs nothing in it: exclude = ["` + slashRel(l.plan.Rules.Base, path) + `/**"] under [watch]`,
			})
		}
	}
}

// unheard looks every second at what is known in a directory whose files can be opened by name, but
// which gives no events.
func (l *loop) unheard(path string) {
	if l.opts.Poll == PollOff || l.tick != nil {
		return
	}
	l.startPolling(autoPoll, false)
	l.note(change.Note{
		Msg:  path + " cannot be read (permission denied), so no events come from it: looking at known files every second too",
		Hint: "give yourself the right to read it, chmod u+r",
	})
}

// readable is an error if this user may not list a directory.
func readable(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err == nil {
		f.Close()
	}
	return nil
}

// searchable reports whether this user may open files in a directory by their names.
func searchable(dir string) bool {
	_, err := os.Stat(dir + string(os.PathSeparator) + ".")
	return err == nil
}
