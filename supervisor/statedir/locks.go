package statedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// locks keep the name of a folder to one devguard. The zero value holds none.
type locks struct {
	path   string   // the folder
	folder *os.File // in it
	aside  *os.File // see asidePath; nil if there is no place for it
}

func (l *locks) file() string { return filepath.Join(l.path, "lock") }

// lockFolder takes the lock in the folder.
func (l *locks) lockFolder() error {
	f, err := acquire(l.file())
	switch {
	case errors.Is(err, errHeld):
		return err
	case err != nil:
		return explain("lock", l.file(), err)
	}
	if l.folder != nil {
		l.folder.Close() // it was removed
	}
	l.folder = f
	return nil
}

// inFolder reports whether the lock in the folder is held where others look for it.
func (l *locks) inFolder() bool { return inPlace(l.folder, l.file()) }

// lockAside takes the lock that is not in the folder, or returns who has it; a pid of 0
// is not known. Where there is no place for it (no home directory, one of another user,
// a file system without locks) the one in the folder has to do.
func (l *locks) lockAside(name string) (pid int, err error) {
	path, err := asidePath(l.path, name)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return 0, nil
	}
	f, err := acquire(path)
	switch {
	case errors.Is(err, errHeld):
		text, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return max(pid, 0), err
	case err != nil:
		return 0, nil
	}
	l.aside = f
	_ = f.Truncate(0) // a devguard that was killed has left its pid
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return 0, nil
}

// asidePath is a file in the user's cache for a folder. The project counts, not its path:
// that may be reached through a symbolic link, and containers that share a cache have
// different projects at the same path.
func asidePath(folder, name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	project, err := fileID(filepath.Dir(filepath.Dir(folder)))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(project + "\x00" + name))
	return filepath.Join(cache, "devguard", "locks", hex.EncodeToString(sum[:16])), nil
}

// release gives up the locks. The file in the cache goes: acquire looks whether what it
// has locked is still in its place.
func (l *locks) release() error {
	var errs []error
	if l.aside != nil {
		if inPlace(l.aside, l.aside.Name()) {
			errs = append(errs, os.Remove(l.aside.Name()))
		}
		errs = append(errs, l.aside.Close())
	}
	if l.folder != nil {
		errs = append(errs, l.folder.Close())
	}
	return errors.Join(errs...)
}
