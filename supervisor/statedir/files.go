package statedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

const (
	controlFile   = "control.json"
	hooksFile     = "hooks.json"
	runsFile      = "runs.json"
	instancesFile = "instances.json"
)

type control struct {
	PID int `json:"pid"`
}

// write replaces a file. Only the holder of the lock writes, so one temporary
// name is enough, and one that a kill has left is overwritten.
func (s *State) write(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp := s.path(name + ".new")
	err = os.WriteFile(tmp, append(b, '\n'), 0o600)
	if err == nil {
		err = os.Rename(tmp, s.path(name))
	}
	if err != nil {
		return explain("write", s.path(name), err)
	}
	return nil
}

func parseControl(c *control) func([]byte) error {
	return func(b []byte) error {
		if err := json.Unmarshal(b, c); err != nil {
			c.PID = 0
			return err
		}
		c.PID = max(c.PID, 0)
		return nil
	}
}

func parseHooks(hooks *map[string]string) func([]byte) error {
	return func(b []byte) error {
		var got map[string]string
		if err := json.Unmarshal(b, &got); err != nil {
			return err
		}
		if got != nil { // JSON null
			*hooks = got
		}
		return nil
	}
}

// LoadHooks returns the fingerprints of hooks by name. The caller may keep it.
func (s *State) LoadHooks() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.hooks)
}

// SaveHook remembers the fingerprint of a hook; an empty one forgets it.
func (s *State) SaveHook(name, fingerprint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks[name] = fingerprint; fingerprint == "" {
		delete(s.hooks, name)
	}
	return s.write(hooksFile, s.hooks)
}

// BinaryPath is where the binary of a generation goes: base is its own name.
// Nothing is created.
func (s *State) BinaryPath(gen int, base string) string {
	return filepath.Join(s.dir, strconv.Itoa(gen), base)
}

// TmpDir is a private directory for builds, made and emptied by Open.
func (s *State) TmpDir() string { return s.path("tmp") }

// Prune removes the binaries of all generations but those to keep.
func (s *State) Prune(keep ...int) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return explain("read", s.dir, err)
	}
	var errs []error
	for _, e := range entries {
		gen, err := strconv.Atoi(e.Name())
		if err != nil || !e.IsDir() || slices.Contains(keep, gen) {
			continue
		}
		if err := os.RemoveAll(s.path(e.Name())); err != nil {
			errs = append(errs, explain("remove", s.path(e.Name()), err))
		}
	}
	return errors.Join(errs...)
}

func emptyDir(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return explain("empty", dir, err)
	}
	return nil
}
