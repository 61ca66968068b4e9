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

// State is the folder of one name, locked. Close gives it up.
type State struct {
	name string
	dir  string // absolute
	lock *os.File

	mu        sync.Mutex
	notes     []string
	hooks     map[string]string
	runs      []string // of this run and earlier ones
	previous  []string // of earlier ones
	instances []record
	leftovers []record
}

// Open makes .devguard/ in dir, and in it the folder of name, and locks that.
// Another devguard of that name is a *HeldError; anything else that a person can
// mend is an *Error.
func Open(dir, name string) (*State, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	s := &State{name: name, dir: filepath.Join(dir, Folder, name)}
	if err := s.makeFolders(); err != nil {
		return nil, err
	}
	if s.lock, err = acquire(filepath.Join(s.dir, "lock")); err != nil {
		if errors.Is(err, errHeld) {
			return nil, s.held()
		}
		return nil, explain("lock", filepath.Join(s.dir, "lock"), err)
	}
	if err := s.load(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// Close removes control.json and gives up the lock. Records of instances whose
// processes are gone are forgotten.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.saveInstances(), os.Remove(s.path(controlFile)))
	return errors.Join(err, s.lock.Close())
}

// Dir is the folder of the name, absolute.
func (s *State) Dir() string { return s.dir }

// Notes are sentences about what was found unreadable when Open read it, for the
// log. It counts as empty.
func (s *State) Notes() []string { return s.notes }

func (s *State) path(name string) string { return filepath.Join(s.dir, name) }

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

func (s *State) makeFolders() error {
	top := filepath.Dir(s.dir)
	if err := privateDir(top); err != nil {
		return err
	}
	ignore := filepath.Join(top, ".gitignore")
	if _, err := os.Stat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
			return explain("write", ignore, err)
		}
	}
	if err := privateDir(s.dir); err != nil {
		return err
	}
	if noexec(s.dir) {
		return &Error{Op: "run programs from", Path: s.dir, Err: errors.New("the file system is mounted noexec"),
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
func (s *State) load() error {
	s.hooks = map[string]string{}
	s.read(hooksFile, parseHooks(&s.hooks))
	s.read(runsFile, parseRuns(&s.runs))
	s.read(instancesFile, parseInstances(&s.instances))
	s.previous, s.leftovers = append(s.previous, s.runs...), append(s.leftovers, s.instances...)
	if err := emptyDir(s.TmpDir()); err != nil {
		return err
	}
	return s.write(controlFile, control{PID: os.Getpid()})
}

// read gives a file to parse. A missing one is nothing to speak of.
func (s *State) read(name string, parse func([]byte) error) {
	b, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = parse(b)
	}
	if err != nil {
		s.notes = append(s.notes, fmt.Sprintf("%s cannot be read and counts as empty: %v", s.path(name), err))
	}
}
