package statedir

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
)

// maxRuns bounds the run ids kept. Only a database that is never reachable again
// lets them pile up; the oldest of so many have no session left.
const maxRuns = 64

// Run is one run of devguard. All that it gives the app carries its id, by which
// a later devguard finds what a killed one has left.
type Run struct {
	ID       string   // 128 random bits, in hex
	Previous []string // ids of earlier runs, whose database sessions may be left

	dir     *Dir
	unclean atomic.Bool
}

// BeginRun makes the id of this run and remembers it, before the first database
// session carries it.
func (d *Dir) BeginRun() (*Run, error) {
	id := make([]byte, 16)
	rand.Read(id) // never fails: crypto/rand
	r := &Run{ID: hex.EncodeToString(id), Previous: d.previous(), dir: d}
	if err := d.addRun(r.ID); err != nil {
		return nil, err
	}
	return r, nil
}

// Unclean says that sessions of this run or of a previous one may be left, so that
// End forgets none of them. It may be called from anywhere.
func (r *Run) Unclean() { r.unclean.Store(true) }

// End forgets this run and the previous ones, of which nothing can be left, unless
// the run is unclean.
func (r *Run) End() error {
	if r.unclean.Load() {
		return nil
	}
	return r.dir.forgetRuns(append(slices.Clone(r.Previous), r.ID)...)
}

func parseRuns(runs *[]string) func([]byte) error {
	return func(b []byte) error {
		var got []string
		if err := json.Unmarshal(b, &got); err != nil {
			return err
		}
		// Sessions are ended by these ids: an empty one would match too much.
		*runs = slices.DeleteFunc(got, func(id string) bool { return !validRun(id) })
		return nil
	}
}

// validRun: a run id is 128 random bits in some spelling. Anything much shorter
// is not, and must never decide whose sessions or processes are ours.
func validRun(id string) bool { return len(id) >= 16 && len(id) <= 64 }

func (d *Dir) addRun(id string) error {
	if !validRun(id) {
		return fmt.Errorf("remember the run id %q: it has not 16 to 64 characters", id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.runs, id) {
		d.runs = append(d.runs, id)
	}
	d.runs = d.runs[max(0, len(d.runs)-maxRuns):]
	return d.write(runsFile, d.runs)
}

// previous are the ids of earlier runs that nobody has forgotten.
func (d *Dir) previous() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.previousRuns)
}

func (d *Dir) forgetRuns(ids ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := func(id string) bool { return slices.Contains(ids, id) }
	d.runs, d.previousRuns = slices.DeleteFunc(d.runs, gone), slices.DeleteFunc(d.previousRuns, gone)
	return d.write(runsFile, d.runs)
}
