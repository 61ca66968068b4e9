package watch

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/devguard/devguard/supervisor/change"
)

// limits sees whether the system has refused a watch; then it says so, and polls.
func (l *loop) limits() {
	l.leaveOut()
	err := l.dirs.refused
	if err == nil || l.polling {
		return
	}
	l.note(refusedWatch(err, len(l.dirs.byID), l.remedy()))
	if l.opts.Poll != PollOff {
		l.startPolling(autoPoll, true)
	}
}

// remedy says what happens without events.
func (l *loop) remedy() string {
	if l.opts.Poll == PollOff {
		return `watch.poll is "off", so changes are found only after a build`
	}
	return "polling every second instead"
}

// refusedWatch is the message about a watch that was refused.
func refusedWatch(err error, have int, remedy string) change.Note {
	n := change.Note{Warn: true, Msg: fmt.Sprintf("%s after %d watched directories: %s", err, have, remedy)}
	if errors.Is(err, syscall.ENOSPC) {
		n.Msg = fmt.Sprintf("the limit of watches is reached%s; devguard uses %d: %s", watchLimit(), have, remedy)
		n.Hint = watchHint
	} else if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		n.Hint = filesHint
	}
	return n
}

// noEvents is the message about a system that gives no events at all.
func noEvents(err error, remedy string) change.Note {
	n := change.Note{Warn: true, Msg: fmt.Sprintf("no file events (%s): %s", err, remedy)}
	if errors.Is(err, syscall.EMFILE) {
		n.Hint = instancesHint()
	}
	return n
}

// room reports whether one more directory may be listed for hooks and embedded files.
func (l *loop) room(path string) bool {
	if len(l.dirs.byName) < maxListed {
		return true
	}
	l.note(change.Note{
		Warn: true,
		Msg:  fmt.Sprintf("%d directories are watched for hooks and embedded files; %s and others are left out", maxListed, path),
		Hint: "narrow the globs of the hook's watch, beginning with a directory",
	})
	return false
}

// maxListed is far above what people embed or generate from, and below what takes minutes to list.
const maxListed = 4 * maxDirs
