package osproc

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Look returns the process of that pid; false when there is none.
func Look(pid int) (Process, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, false
	}
	p, ok := parseStat(b)
	return p, ok && p.PID == pid
}

// Processes are all that /proc shows, none without /proc. One that exits meanwhile is left out.
func Processes() []Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	all := make([]Process, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := Look(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// parseStat reads "pid (comm) state ppid pgrp ... starttime", fields 1 to 5 and
// 22 of proc_pid_stat(5). comm is what the process likes, parentheses included:
// only the last one ends it.
func parseStat(b []byte) (Process, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Process{}, false
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 {
		return Process{}, false
	}
	pid, err1 := strconv.Atoi(string(b[:open-1]))
	ppid, err2 := strconv.Atoi(string(f[1]))
	group, err3 := strconv.Atoi(string(f[2]))
	start, err4 := strconv.ParseUint(string(f[19]), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return Process{}, false
	}
	state := f[0][0]
	return Process{PID: pid, PPID: ppid, Group: group, Start: start, Zombie: state == 'Z' || state == 'X'}, true
}

// Kill sends SIGKILL to this very process: a pid that was given away again since it was looked at
// is left alone. What cannot be killed shows at the next look.
func (p Process) Kill() {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ENOSYS && p.unchanged() { // before Linux 5.3
		_ = unix.Kill(p.PID, unix.SIGKILL)
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if p.unchanged() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // EPERM: it stays
	}
}

// unchanged reports whether the pid was not given away again. Unlike runs it takes a zombie too: a
// process whose first thread has ended shows as one while other threads of it go on.
func (p Process) unchanged() bool {
	now, ok := Look(p.PID)
	return ok && now.Start == p.Start
}

// GroupAlive reports whether a process of the group runs. kill(2) finds zombies too: only their
// state tells, so all processes are looked at when it finds any.
func GroupAlive(group int) bool {
	if errors.Is(unix.Kill(-group, 0), unix.ESRCH) {
		return false
	}
	all := Processes()
	for _, p := range all {
		if p.Group == group && !p.Zombie {
			return true
		}
	}
	return len(all) == 0 // no /proc: kill(2) has the last word
}
