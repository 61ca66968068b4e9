package watch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// cookies are how the watcher finds out that it has seen all events of before, as watchman does: it
// renames a file of its own in a directory that the same inotify instance watches. The kernel
// queues events in the order in which they happened, so when the cookie's event arrives, those of
// all writes before it have arrived too.
//
// A cookie can fail (the directory is gone or read-only, a queue overflow drops the event, the watch
// has ended); then the caller gets a sweep of all files instead, which is slower and as good.
type cookies struct {
	sent uint64 // the number of the newest, in the name of the file
	seen uint64 // the highest that an event has told of
}

const cookiePrefix = "cookie-"

// sendCookie makes an event in the queue, which the caller waits for; false if none would come.
func (l *loop) sendCookie() (cookieWaited, bool) {
	if !l.cookiesWork() {
		return cookieWaited{}, false
	}
	if !l.watchesCookies() || l.renameCookie() != nil {
		if l.openCookies() != nil || !l.watchesCookies() || l.renameCookie() != nil {
			return cookieWaited{}, false
		}
	}
	return cookieWaited{l.cookies.sent, l.tree.dirs[l.opts.CookieDir].watch}, true
}

// cookiesWork reports whether events of all files arrive, in order.
func (l *loop) cookiesWork() bool {
	return eventsInOrder && l.opts.CookieDir != "" && l.tree.source != nil && l.tree.refused == nil && l.tick == nil
}

func (l *loop) watchesCookies() bool {
	d := l.tree.dirs[l.opts.CookieDir]
	return d != nil && d.watch != nil
}

// renameCookie fails when the directory is not the one that openCookies watched any more.
func (l *loop) renameCookie() error {
	err := os.Rename(l.cookiePath(l.cookies.sent), l.cookiePath(l.cookies.sent+1))
	if err == nil {
		l.cookies.sent++
	}
	return err
}

// openCookies makes the directory and the file, and watches the directory. What an earlier run has
// left there goes.
func (l *loop) openCookies() error {
	dir := l.opts.CookieDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l.tree.want(dir, cookieDir)
	old, _ := filepath.Glob(filepath.Join(dir, cookiePrefix+"*"))
	for _, name := range old {
		os.Remove(name)
	}
	return os.WriteFile(l.cookiePath(l.cookies.sent), nil, 0o600)
}

// closeCookies removes the file and stops watching the directory for it.
func (l *loop) closeCookies() {
	d := l.tree.dirs[l.opts.CookieDir]
	if d == nil || d.kind&cookieDir == 0 {
		return
	}
	os.Remove(l.cookiePath(l.cookies.sent))
	if d.kind &^= cookieDir; d.kind == 0 {
		l.tree.drop(d)
	}
}

// giveUpCookie has all files looked at for a caller whose cookie does not come, and makes
// everything anew for the next one.
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

// ofCookies takes an event that is about the cookies, or about something else in a directory that is
// watched for them alone: it is nobody else's business.
func (l *loop) ofCookies(path string, op fsnotify.Op) bool {
	if d := l.tree.dirs[path]; d != nil && d.kind == cookieDir {
		if op != fsnotify.Chmod {
			l.tree.drop(d) // removed or renamed; who waits for a cookie gets a sweep
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
	d := l.tree.dirs[filepath.Dir(path)]
	return d != nil && d.kind == cookieDir
}
