package statedir

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// bootID makes start times of different boots differ. Without it (no /proc/sys
// in some sandboxes) a start time is only the ticks since boot.
var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// stat is what is used of /proc/<pid>/stat.
type stat struct {
	pid, ppid, group int
	ticks            uint64 // when it started, since boot
}

// readStat reports false for a zombie: it runs nothing and holds nothing.
func readStat(pid int) (stat, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	// Fields 3, 4, 5 and 22 of proc(5); the name before them may hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return stat{}, false
	}
	ppid, err1 := strconv.Atoi(string(f[1]))
	group, err2 := strconv.Atoi(string(f[2]))
	ticks, err3 := strconv.ParseUint(string(f[19]), 10, 64)
	return stat{pid, ppid, group, ticks}, err1 == nil && err2 == nil && err3 == nil
}

func (s stat) start() string { return bootID() + " " + strconv.FormatUint(s.ticks, 10) }

func startTime(pid int) (string, bool) {
	s, ok := readStat(pid)
	return s.start(), ok
}

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
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || slices.Contains(spared, pid) {
			continue
		}
		if s, ok := readStat(pid); ok {
			if gen, ours := s.whose(records, o); ours {
				found = append(found, Leftover{PID: pid, Gen: gen, start: s.start()})
			}
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
		s, ok := readStat(pid)
		if !ok {
			break
		}
		pid = s.ppid
	}
	return all
}

func (s stat) whose(records []record, o owner) (gen int, ours bool) {
	for _, r := range records {
		if s.start() == r.App.Start && s.pid == r.App.PID {
			return r.Gen, true
		}
		if s.group == r.Group && s.inGroupOf(r, o.name) {
			return r.Gen, true
		}
	}
	if s.runsFrom(o) {
		return 0, true
	}
	if len(o.runs) == 0 {
		return 0, false
	}
	env := environ(s.pid)
	return 0, slices.ContainsFunc(o.runs, func(id string) bool {
		return bytes.Contains(env, []byte("devguard:"+id+":"))
	})
}

// inGroupOf reports whether a member of a group with the app's number is in the
// app's group. A group's number is not given away while it has members, so with
// the leader alive it is that group; else the member itself must say so.
func (s stat) inGroupOf(r record, name string) bool {
	if r.App.alive() {
		return true
	}
	boot, ticks, ok := strings.Cut(r.App.Start, " ")
	since, err := strconv.ParseUint(ticks, 10, 64)
	if !ok || err != nil || boot != bootID() || s.ticks < since {
		return false
	}
	return s.has("DEVGUARD_NAME="+name) && s.has("DEVGUARD_GEN="+strconv.Itoa(r.Gen))
}

// runsFrom reports whether the process is a program of our folder that a
// devguard of our name has started: somebody may run one by hand.
func (s stat) runsFrom(o owner) bool {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(s.pid) + "/exe")
	return err == nil && strings.HasPrefix(exe, o.dir+"/") && s.has("DEVGUARD_NAME="+o.name)
}

// has reports whether the process was started with that environment entry.
func (s stat) has(entry string) bool {
	return slices.ContainsFunc(bytes.Split(environ(s.pid), []byte{0}), func(b []byte) bool { return string(b) == entry })
}

// environ is what the process was started with; only its owner and root may read it.
func environ(pid int) []byte {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return b
}

// kill is exact: a pid that was given away again is left alone. What cannot be
// killed shows at the next look.
func (p process) kill() {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ENOSYS && p.alive() { // before Linux 5.3
		_ = unix.Kill(p.PID, unix.SIGKILL)
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if p.alive() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
