package watch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// cookies show that all earlier events have been seen, as in watchman: the watcher renames a file
// of its own in a directory that the same inotify instance watches. The kernel queues events in the
// order in which they happen, so when the cookie's event has arrived, those of all writes before it
// have too.
//
// When a cookie fails (the directory is gone or read-only, the queue overflows, the watch ends),
// the caller gets a sweep of all files instead, which is slower and as good.
type cookies struct {
	sent uint64 // the number of the newest one, which is in the file's name
	seen uint64 // the highest number that an event has told of
}

const cookiePrefix = "cookie-"

// sendCookie puts a cookie into the event queue; false if it cannot.
func (l *loop) sendCookie() (cookieWaited, bool) {
	if !l.cookiesWork() {
		return cookieWaited{}, false
	}
	if !l.watchesCookies() || l.renameCookie() != nil {
		if l.openCookies() != nil || !l.watchesCookies() || l.renameCookie() != nil {
			return cookieWaited{}, false
		}
	}
	return cookieWaited{l.cookies.sent, l.dirs.byName[l.opts.CookieDir].watch}, true
}

// cookiesWork reports whether events arrive for all files, and in order.
func (l *loop) cookiesWork() bool {
	return eventsInOrder && l.opts.CookieDir != "" && l.dirs.source != nil && l.dirs.refused == nil && l.tick == nil
}

func (l *loop) watchesCookies() bool {
	d := l.dirs.byName[l.opts.CookieDir]
	return d != nil && d.watch != nil
}

// renameCookie fails when the directory under that name is not the one with the file any more.
func (l *loop) renameCookie() error {
	err := os.Rename(l.cookiePath(l.cookies.sent), l.cookiePath(l.cookies.sent+1))
	if err == nil {
		l.cookies.sent++
	}
	return err
}

// openCookies makes the directory and the file, and watches the directory. Files that an earlier
// run has left go.
func (l *loop) openCookies() error {
	dir := l.opts.CookieDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l.dirs.want(dir, cookieDir)
	old, _ := filepath.Glob(filepath.Join(dir, cookiePrefix+"*"))
	for _, name := range old {
		os.Remove(name)
	}
	return os.WriteFile(l.cookiePath(l.cookies.sent), nil, 0o600)
}

// closeCookies removes the file, and no longer watches the directory for it.
func (l *loop) closeCookies() {
	d := l.dirs.byName[l.opts.CookieDir]
	if d == nil || d.kind&cookieDir == 0 {
		return
	}
	os.Remove(l.cookiePath(l.cookies.sent))
	if d.kind &^= cookieDir; d.kind == 0 {
		l.dirs.drop(d)
	}
}

// giveUpCookie has all files looked at for a caller whose cookie has not come, and the next cookie
// begin anew.
func (l *loop) giveUpCookie(c *caller) {
	if _, waits := c.wait.(cookieWaited); waits {
		c.wait = sweepWaited{}
		l.closeCookies()
	}
}

func (l *loop) cookiePath(number uint64) string {
	return filepath.Join(l.opts.CookieDir, cookiePrefix+strconv.FormatUint(number, 10))
}

func (l *loop) isCookie(path string) bool {
	return filepath.Dir(path) == l.opts.CookieDir && strings.HasPrefix(filepath.Base(path), cookiePrefix)
}

// ofCookies takes an event that is about a cookie, or about anything else in a directory that is
// watched for cookies alone: devguard's own files are no business of the plan.
func (l *loop) ofCookies(path string, op fsnotify.Op) bool {
	if d := l.dirs.byName[path]; d != nil && d.kind == cookieDir {
		if op != fsnotify.Chmod {
			l.dirs.drop(d) // removed or renamed: callers who wait for a cookie get a sweep
		}
		return true
	}
	if l.isCookie(path) {
		n, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(path), cookiePrefix), 10, 64)
		if err == nil && n <= l.cookies.sent && op.Has(fsnotify.Create) {
			l.cookies.seen = max(l.cookies.seen, n)
		}
		return true
	}
	d := l.dirs.byName[filepath.Dir(path)]
	return d != nil && d.kind == cookieDir
}
