package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Mend makes the folder again when it was removed while it is in use, as `git clean
// -fdx` does: whole, with what it had in it but for the binaries, and locked. It reports
// whether it had to. Another devguard that has taken the name since is a *HeldError, and
// its folder is left alone.
func (d *Dir) Mend() (mended bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.whole() {
		return false, nil
	}
	if err := d.makeFolders(); err != nil {
		return false, err
	}
	if !d.locks.inFolder() {
		if err := d.lockFolder(); err != nil {
			return false, err
		}
	}
	if err := os.Mkdir(d.TmpDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, explain("create", d.TmpDir(), err)
	}
	return true, errors.Join(d.publish(),
		d.write(runsFile, d.runs), d.saveRecords(), d.hooks.restore())
}

func (d *Dir) whole() bool {
	for _, path := range []string{ignoreFile(d.path), d.file(controlFile)} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return d.locks.inFolder()
}

func ignoreFile(path string) string { return filepath.Join(filepath.Dir(path), ".gitignore") }
