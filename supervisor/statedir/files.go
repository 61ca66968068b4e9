package statedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

const (
	controlFile   = "control.json"
	runsFile      = "runs.json"
	instancesFile = "instances.json"
)

// control is control.json: who runs, and where and by which secret it can be asked.
type control struct {
	PID   int    `json:"pid"`
	URL   string `json:"url,omitempty"`
	Token string `json:"token,omitempty"`
}

// write replaces a file. Only the holder of the lock writes, so one temporary
// name is enough, and one that a kill has left is overwritten.
func (d *Dir) write(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp := d.file(name + ".new")
	err = os.WriteFile(tmp, append(b, '\n'), 0o600)
	if err == nil {
		err = os.Rename(tmp, d.file(name))
	}
	if err != nil {
		return explain("write", d.file(name), err)
	}
	return nil
}

func parseControl(c *control) func([]byte) error {
	return func(b []byte) error {
		if err := json.Unmarshal(b, c); err != nil {
			*c = control{}
			return err
		}
		c.PID = max(c.PID, 0)
		return nil
	}
}

// BinaryPath is where the binary of a generation goes: base is its own name.
// Nothing is created.
func (d *Dir) BinaryPath(gen int, base string) string {
	return filepath.Join(d.path, strconv.Itoa(gen), base)
}

// TmpDir is a private directory for builds, made and emptied by Open.
func (d *Dir) TmpDir() string { return d.file("tmp") }

// ObjectsDir is a private directory for what fast builds are linked of. Open and Close remove
// what is there.
func (d *Dir) ObjectsDir() string { return d.file("objects") }

// Prune removes the binaries of all generations but those to keep.
func (d *Dir) Prune(keep ...int) error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return explain("read", d.path, err)
	}
	var errs []error
	for _, e := range entries {
		gen, err := strconv.Atoi(e.Name())
		if err != nil || !e.IsDir() || slices.Contains(keep, gen) {
			continue
		}
		if err := os.RemoveAll(d.file(e.Name())); err != nil {
			errs = append(errs, explain("remove", d.file(e.Name()), err))
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
