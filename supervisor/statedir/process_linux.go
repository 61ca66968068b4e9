package statedir

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/paths"
)

// bootID makes start times of different boots differ. Without it (no /proc/sys
// in some sandboxes) a start time is only the ticks since boot.
var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// startTime names the boot too, because a record outlives it.
func startTime(p osproc.Process) string { return bootID() + " " + strconv.FormatUint(p.Start, 10) }

// find looks at every process once; without records and run ids at none.
func find(records []record, o owner) []Leftover {
	if len(records) == 0 && len(o.runs) == 0 {
		return nil
	}
	if real, err := filepath.EvalSymlinks(o.dir); err == nil {
		o.dir = real // as /proc/<pid>/exe names it
	}
	var found []Leftover
	spared := ancestors()
	for _, p := range osproc.Processes() {
		if p.Zombie || slices.Contains(spared, p.PID) {
			continue
		}
		if gen, ours := whose(p, records, o); ours {
			found = append(found, Leftover{PID: p.PID, Gen: gen, start: startTime(p)})
		}
	}
	return found
}

// ancestors are devguard and whatever it was started from: should that be the
// app itself (a terminal, say), it is not to be killed under us.
func ancestors() []int {
	var all []int
	for pid := os.Getpid(); pid > 0 && !slices.Contains(all, pid); {
		all = append(all, pid)
		p, ok := osproc.Look(pid)
		if !ok {
			break
		}
		pid = p.PPID
	}
	return all
}

func whose(p osproc.Process, records []record, o owner) (gen int, ours bool) {
	for _, r := range records {
		if p.PID == r.App.PID && startTime(p) == r.App.Start {
			return r.Gen, true
		}
		if p.Group == r.Group && inGroupOf(p, r, o.name) {
			return r.Gen, true
		}
	}
	if runsFrom(p.PID, o) {
		return 0, true
	}
	if len(o.runs) == 0 {
		return 0, false
	}
	env := environ(p.PID)
	return 0, slices.ContainsFunc(o.runs, func(id string) bool {
		return bytes.Contains(env, []byte("devguard:"+id+":"))
	})
}

// inGroupOf reports whether a member of a group with the app's number is in the
// app's group. A group's number is not given away while it has members, so with
// the leader alive it is that group; else the member itself must say so.
func inGroupOf(p osproc.Process, r record, name string) bool {
	if r.App.alive() {
		return true
	}
	boot, ticks, ok := strings.Cut(r.App.Start, " ")
	since, err := strconv.ParseUint(ticks, 10, 64)
	if !ok || err != nil || boot != bootID() || p.Start < since {
		return false
	}
	return startedWith(p.PID, "DEVGUARD_NAME="+name) && startedWith(p.PID, "DEVGUARD_GEN="+strconv.Itoa(r.Gen))
}

// runsFrom reports whether the process is a program of our folder that a
// devguard of our name has started: somebody may run one by hand.
func runsFrom(pid int, o owner) bool {
	return paths.Within(osproc.Program(pid), o.dir) && startedWith(pid, "DEVGUARD_NAME="+o.name)
}

// startedWith reports whether the process was started with that environment entry.
func startedWith(pid int, entry string) bool {
	return slices.ContainsFunc(bytes.Split(environ(pid), []byte{0}), func(b []byte) bool { return string(b) == entry })
}

// environ is what the process was started with; only its owner and root may read it.
func environ(pid int) []byte {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return b
}
