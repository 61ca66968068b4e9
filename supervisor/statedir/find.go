package statedir

import (
	"os"
	"path/filepath"
)

// runningFile is locked while control.json is to be believed. It is not the lock of the folder: to
// look whether that is held one has to take it for a moment, in which a devguard that starts would
// be told that another one runs. This one is taken by the holder of the other alone, who waits for
// those that look.
const runningFile = "running"

// Publish writes down where this devguard can be asked, and the secret that it wants to hear, for
// Find.
func (d *Dir) Publish(url, token string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.control.URL, d.control.Token = url, token
	return d.publish()
}

// publish writes control.json, and then has it believed.
func (d *Dir) publish() error {
	if err := d.write(controlFile, d.control); err != nil || d.control.URL == "" {
		return err
	}
	path := d.file(runningFile)
	if d.running != nil && inPlace(d.running, path) {
		return nil
	}
	f, err := claim(path)
	if err != nil {
		return explain("lock", path, err)
	}
	if d.running != nil {
		d.running.Close() // it was removed
	}
	d.running = f
	return nil
}

// Running is a devguard that runs.
type Running struct {
	Name  string
	PID   int
	URL   string // of its control server
	Token string // that it wants to hear

	folder string
}

// AwaitEnd returns once the devguard has ended.
func (r Running) AwaitEnd() error { return awaitUnclaimed(filepath.Join(r.folder, runningFile)) }

// Find returns the devguards that run in a project and can be asked, by name. dir is that of the
// configuration. A control.json whose devguard is gone is not believed.
func Find(dir string) []Running {
	var found []Running
	entries, _ := os.ReadDir(filepath.Join(dir, Folder)) // none: nothing runs
	for _, e := range entries {
		folder := filepath.Join(dir, Folder, e.Name())
		var c control
		if !claimed(filepath.Join(folder, runningFile)) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(folder, controlFile))
		if err == nil && parseControl(&c)(b) == nil && c.URL != "" {
			found = append(found, Running{e.Name(), c.PID, c.URL, c.Token, folder})
		}
	}
	return found
}
