package statedir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hooksFolder is in Folder. No name begins with a dot.
const hooksFolder = ".hooks"

// Hooks are the hooks of a project. All its devguards share them, whatever their names:
// they have the same files and write the same outputs.
type Hooks struct {
	dir  string
	name string // of this devguard

	mu    sync.Mutex
	known map[string]HookRun // by key: what was read or written, to be written again by restore
}

// HookRun is the newest run of a hook that has ended.
type HookRun struct {
	Fingerprint string `json:"fingerprint"` // of what it succeeded with; empty: it has failed
	Count       int    `json:"count"`       // of its runs
	Name        string `json:"name"`        // of the devguard that ran it
	PID         int    `json:"pid"`
}

func newHooks(folder, name string) *Hooks {
	return &Hooks{dir: filepath.Join(filepath.Dir(folder), hooksFolder), name: name, known: map[string]HookRun{}}
}

func (h *Hooks) path(key, ext string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(h.dir, hex.EncodeToString(sum[:16])+ext)
}

// Last returns the newest run of a hook, zero if there was none. What cannot be read
// counts as none, and the error says so.
func (h *Hooks) Last(key string) (run HookRun, err error) {
	b, err := os.ReadFile(h.path(key, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return HookRun{}, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &run)
	}
	if err != nil {
		return HookRun{}, fmt.Errorf("%s cannot be read and counts as empty: %w", h.path(key, ".json"), err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known[key] = run
	return run, nil
}

// HookLock is the right to run a hook, which one devguard of a project has at a time. It
// ends with the process.
type HookLock struct {
	hooks *Hooks
	key   string
	file  *os.File
}

// lockAgain is how often a lock that is held is tried again: the kernel tells nobody who
// can also be cancelled.
const lockAgain = 20 * time.Millisecond

// Lock waits until no other devguard runs the hook. held is told who does, once; a pid
// of 0 is not known yet.
func (h *Hooks) Lock(ctx context.Context, key string, held func(name string, pid int)) (*HookLock, error) {
	for waits := false; ; waits = true {
		f, err := h.try(key)
		if err == nil {
			return &HookLock{h, key, f}, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, explain("lock", h.path(key, ".lock"), err)
		}
		if !waits {
			held(h.holder(key))
		}
		timer := time.NewTimer(lockAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("wait for another devguard to run the hook: %w", context.Cause(ctx))
		}
	}
}

// try takes the lock if nobody has it, and writes down who has it now.
func (h *Hooks) try(key string) (*os.File, error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := acquire(h.path(key, ".lock"))
	if err == nil {
		_ = f.Truncate(0)
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+h.name), 0)
	}
	return f, err
}

func (h *Hooks) holder(key string) (name string, pid int) {
	b, _ := os.ReadFile(h.path(key, ".lock"))
	first, name, _ := strings.Cut(string(b), " ")
	pid, _ = strconv.Atoi(first)
	return name, pid
}

// Save remembers a run that has ended; the fingerprint of one that failed is empty.
func (l *HookLock) Save(fingerprint string) error {
	last, _ := l.hooks.Last(l.key)
	return l.hooks.write(l.key, HookRun{Fingerprint: fingerprint, Count: last.Count + 1, Name: l.hooks.name, PID: os.Getpid()})
}

// Release lets the next devguard run the hook.
func (l *HookLock) Release() { l.file.Close() }

// write is for the holder of the hook's lock.
func (h *Hooks) write(key string, run HookRun) error {
	h.mu.Lock()
	h.known[key] = run
	h.mu.Unlock()
	b, err := json.Marshal(run)
	path := h.path(key, ".json")
	if err == nil {
		err = os.WriteFile(path+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return explain("write", path, err)
	}
	return nil
}

// restore writes what is known and was removed, unless somebody just runs that hook.
func (h *Hooks) restore() error {
	h.mu.Lock()
	known := maps.Clone(h.known)
	h.mu.Unlock()
	var errs []error
	for key, run := range known {
		if _, err := os.Stat(h.path(key, ".json")); err == nil {
			continue
		}
		if f, err := h.try(key); err == nil {
			errs = append(errs, h.write(key, run))
			f.Close()
		}
	}
	return errors.Join(errs...)
}
