package statedir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// process names one process for good: a pid is used again, with the same start
// time in the same boot it is not.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start_time"` // of the system's own making; compared, never computed with
}

// record is one instance that was started.
type record struct {
	Gen       int       `json:"gen"`
	App       process   `json:"app"`
	Group     int       `json:"pgid"`
	Guardians []process `json:"guardians"`
	Devguard  process   `json:"devguard"`
}

// Leftover is a process that a devguard of this name has left.
type Leftover struct {
	PID int
	Gen int // 0 when only its environment says whose it is

	start string
}

func parseInstances(instances *[]record) func([]byte) error {
	return func(b []byte) error {
		var got []record
		if err := json.Unmarshal(b, &got); err != nil {
			return err
		}
		// Pid 1, 0 and negative ones are no app of ours, and kill would take
		// them for more than one process.
		*instances = slices.DeleteFunc(got, func(r record) bool {
			return r.App.PID <= 1 || r.App.Start == "" || r.Group != r.App.PID
		})
		return nil
	}
}

// RecordInstance remembers the processes of an instance, whose app leads a group, so
// that the next devguard can end them should this one be killed.
func (d *Dir) RecordInstance(gen, app int, guardians ...int) error {
	leader, alive := look(app)
	if !alive {
		return nil // it has exited already
	}
	self, _ := look(os.Getpid())
	r := record{Gen: gen, App: leader, Group: app, Devguard: self}
	for _, pid := range guardians {
		if g, alive := look(pid); alive {
			r.Guardians = append(r.Guardians, g)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, r)
	return d.saveRecords()
}

// saveRecords forgets the instances that are gone and writes the rest.
func (d *Dir) saveRecords() error {
	d.records = slices.DeleteFunc(d.records, func(r record) bool { return !r.alive() })
	return d.write(instancesFile, d.records)
}

func (r record) alive() bool { return r.App.alive() || slices.ContainsFunc(r.Guardians, process.alive) }

// otherDevguard returns the pid of another devguard that still runs one of the recorded
// instances; 0 if none does. Its lock must have been removed: what it runs is no
// leftover.
func otherDevguard(records []record) int {
	for _, r := range records {
		if r.Devguard.PID != os.Getpid() && r.Devguard.alive() && r.alive() {
			return r.Devguard.PID
		}
	}
	return 0
}

// look names a process that runs; false for a zombie, which runs nothing and
// holds nothing.
func look(pid int) (process, bool) {
	p, ok := osproc.Look(pid)
	named := process{pid, startTime(p)}
	return named, ok && !p.Zombie && named.Start != ""
}

func (p process) alive() bool {
	now, ok := look(p.PID)
	return ok && now == p
}

// kill leaves alone a pid that was given away again; what cannot be killed shows
// at the next look.
func (p process) kill() {
	if now, ok := osproc.Look(p.PID); ok && startTime(now) == p.Start {
		now.Kill()
	}
}

// owner is what tells our processes from others.
type owner struct {
	name string
	dir  string   // our folder, absolute
	runs []string // ids of earlier runs
}

// guardWait is how long guardians that are still alive get to end their tree
// themselves; they know all of it. It takes them milliseconds.
const guardWait = 3 * time.Second

// killWait is how long a SIGKILL may take to be seen.
const killWait = 3 * time.Second

// Leftovers are the processes that earlier devguards of this name have left
// and that EndLeftovers would end. Usually there is none: a guardian ends its
// tree when devguard dies.
func (d *Dir) Leftovers() []Leftover {
	d.mu.Lock()
	records, runs := slices.Clone(d.previousRecords), slices.Clone(d.previousRuns)
	d.mu.Unlock()
	return find(records, owner{d.name, d.path, runs})
}

// EndLeftovers ends them with SIGKILL and returns what it has ended. A process
// is ours when
//   - its pid and start time are on record, or
//   - it is in the group that such a process leads, or
//   - on Linux, it is in the group of a recorded app, is younger than it, and
//     its environment names this devguard and generation, or
//   - on Linux, its program lies in our folder and its environment names this
//     devguard: the app's own program, started again in a session of its own, or
//   - on Linux, its environment holds the run id of an earlier devguard of this
//     name: 128 random bits that only that devguard gave away.
//
// Guardians that are alive first get a moment to do it themselves.
func (d *Dir) EndLeftovers(ctx context.Context) ([]Leftover, error) {
	d.mu.Lock()
	records := slices.Clone(d.previousRecords)
	d.mu.Unlock()
	if err := awaitGuardians(ctx, records); err != nil {
		return nil, err
	}
	var ended []Leftover
	for began := time.Now(); ; {
		left := d.Leftovers()
		for _, l := range left {
			if !slices.Contains(ended, l) {
				ended = append(ended, l)
			}
			process{l.PID, l.start}.kill()
		}
		if len(left) == 0 {
			return ended, d.forgetLeftovers(records)
		}
		if time.Since(began) > killWait {
			return ended, fmt.Errorf("end what an earlier devguard has left: %v are still there after SIGKILL", left)
		}
		if err := pause(ctx); err != nil {
			return ended, err
		}
	}
}

// awaitGuardians ends those that do not end by themselves: stopped, or stuck
// with a process that cannot be killed.
func awaitGuardians(ctx context.Context, records []record) error {
	began := time.Now()
	for _, r := range records {
		for _, g := range r.Guardians {
			for g.alive() {
				if time.Since(began) > guardWait {
					g.kill()
					break
				}
				if err := pause(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pause is for processes that are not our children: they tell nobody.
func pause(ctx context.Context) error {
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("interrupted while ending what an earlier devguard has left"), ctx.Err())
	}
}

func (d *Dir) forgetLeftovers(records []record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.previousRecords = nil
	d.records = slices.DeleteFunc(d.records, func(r record) bool {
		return slices.ContainsFunc(records, func(o record) bool { return o.App == r.App })
	})
	return d.saveRecords()
}
