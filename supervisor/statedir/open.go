package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
)

// Folder is the directory beside the configuration.
const Folder = ".devguard"

// reserved are names that other parts of devguard use inside Folder.
var reserved = []string{"embedded"}

// Dir is the folder of one name, locked. Close gives it up.
type Dir struct {
	name string
	path string // absolute

	hooks *Hooks

	mu      sync.Mutex
	locks   locks
	control control
	running *os.File // see runningFile; nil before Publish
	notes   []string

	runs         []string // ids of this run and previous ones
	previousRuns []string

	records         []record // instances of this run and previous ones
	previousRecords []record
}

// Open makes .devguard/ in dir, and in it the folder of name, and locks that.
// Another devguard of that name is a *HeldError; anything else that a person can
// mend is an *Error.
func Open(dir, name string) (*Dir, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	path := filepath.Join(dir, Folder, name)
	d := &Dir{name: name, path: path, hooks: newHooks(path, name), locks: locks{path: path}, control: control{PID: os.Getpid()}}
	if err := d.open(); err != nil {
		_ = d.locks.release()
		return nil, err
	}
	return d, nil
}

func (d *Dir) open() error {
	if pid, err := d.locks.lockAside(d.name); err != nil {
		return newHeldError(d.name, d.path, pid)
	}
	if err := d.makeFolders(); err != nil {
		return err
	}
	if err := d.lockFolder(); err != nil {
		return err
	}
	return d.load()
}

// lockFolder takes the lock in the folder; a *HeldError says who has it.
func (d *Dir) lockFolder() error {
	err := d.locks.lockFolder()
	if !errors.Is(err, errHeld) {
		return err
	}
	var c control
	d.read(controlFile, parseControl(&c))
	return newHeldError(d.name, d.path, c.PID)
}

// Close removes control.json and the objects, and gives up the locks. Records of instances whose
// processes are gone are forgotten. A folder that was removed stays away.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	if d.locks.inFolder() {
		err = errors.Join(d.saveRecords(), os.Remove(d.file(controlFile)), os.RemoveAll(d.ObjectsDir()))
	}
	err = errors.Join(err, d.locks.release())
	if d.running != nil { // at last: whoever awaits the end may want the name
		err = errors.Join(err, d.running.Close())
	}
	return err
}

// Hooks are those of the project.
func (d *Dir) Hooks() *Hooks { return d.hooks }

// Path is the folder of the name, absolute.
func (d *Dir) Path() string { return d.path }

// Notes are sentences about what was found unreadable when Open read it, for the
// log. It counts as empty.
func (d *Dir) Notes() []string { return d.notes }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

func checkName(name string) error {
	bad := name == "" || len(name) > 200 || strings.HasPrefix(name, ".") ||
		strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
	if bad {
		return &Error{Err: fmt.Errorf("%q cannot be the name of a folder", name), Next: "choose one of letters, digits, - and _ with --name"}
	}
	for _, r := range reserved {
		if strings.EqualFold(name, r) { // file systems may not tell case apart
			return &Error{Err: fmt.Errorf("the name %q is devguard's own", name), Next: "choose another with --name"}
		}
	}
	return nil
}

func (d *Dir) makeFolders() error {
	top := filepath.Dir(d.path)
	if err := privateDir(top); err != nil {
		return err
	}
	ignore := ignoreFile(d.path)
	if _, err := os.Stat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
			return explain("write", ignore, err)
		}
	}
	if err := privateDir(d.path); err != nil {
		return err
	}
	if noexec(d.path) {
		return &Error{Op: "run programs from", Path: d.path, Err: errors.New("the file system is mounted noexec"),
			Next: "remount it with exec, or move the project to a file system that allows it"}
	}
	return nil
}

// privateDir makes dir, or makes an existing one private.
func privateDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return explain("create", dir, err)
	}
	st, err := os.Stat(dir)
	switch {
	case err != nil:
		return explain("read", dir, err)
	case !st.IsDir():
		return &Error{Op: "create", Path: dir, Err: errors.New("a file is in its place"), Next: "move that file away"}
	case st.Mode().Perm() != 0o700:
		if err := os.Chmod(dir, 0o700); err != nil {
			return explain("make private", dir, err)
		}
	}
	return nil
}

// load reads what the run before has left and starts afresh.
func (d *Dir) load() error {
	d.read(runsFile, parseRuns(&d.runs))
	d.read(instancesFile, parseInstances(&d.records))
	if pid := otherDevguard(d.records); pid > 0 {
		return newHeldError(d.name, d.path, pid)
	}
	d.previousRuns, d.previousRecords = append(d.previousRuns, d.runs...), append(d.previousRecords, d.records...)
	if err := os.RemoveAll(d.ObjectsDir()); err != nil {
		return explain("remove", d.ObjectsDir(), err)
	}
	if err := emptyDir(d.TmpDir()); err != nil {
		return err
	}
	return d.write(controlFile, d.control)
}

// read gives a file to parse. A missing one is nothing to speak of.
func (d *Dir) read(name string, parse func([]byte) error) {
	b, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = parse(b)
	}
	if err != nil {
		d.notes = append(d.notes, fmt.Sprintf("%s cannot be read and counts as empty: %v", d.file(name), err))
	}
}
