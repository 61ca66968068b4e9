package proc

import (
	"bytes"
	"os"
	"strconv"
)

// member is one process, as /proc/<pid>/stat shows it.
type member struct {
	pid, ppid, group int
	start            uint64 // clock ticks since boot; with pid it names a process for good
	zombie           bool
}

// members are the descendants of the roots, parents first, without the roots.
// The group plays no role here: a guardian's descendants are the whole tree.
func members(_ int, roots ...int) []member {
	children := map[int][]member{}
	for _, p := range processes() {
		children[p.ppid] = append(children[p.ppid], p)
	}
	var tree []member
	seen := map[int]bool{}
	queue := roots
	for len(queue) > 0 {
		parent := queue[0]
		queue = queue[1:]
		if seen[parent] {
			continue
		}
		seen[parent] = true
		for _, p := range children[parent] {
			if !seen[p.pid] {
				tree = append(tree, p)
				queue = append(queue, p.pid)
			}
		}
	}
	return tree
}

// processes are all that /proc shows. One that exits meanwhile is left out.
func processes() []member {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	all := make([]member, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readMember(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

func readMember(pid int) (member, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return member{}, false
	}
	p, ok := parseStat(b)
	return p, ok && p.pid == pid
}

// parseStat reads "pid (comm) state ppid pgrp ... starttime", fields 1 to 5 and
// 22 of proc(5). comm is what the process likes, parentheses included: only the
// last one ends it.
func parseStat(b []byte) (member, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return member{}, false
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 {
		return member{}, false
	}
	pid, err1 := strconv.Atoi(string(b[:open-1]))
	ppid, err2 := strconv.Atoi(string(f[1]))
	group, err3 := strconv.Atoi(string(f[2]))
	start, err4 := strconv.ParseUint(string(f[19]), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return member{}, false
	}
	state := f[0][0]
	return member{pid: pid, ppid: ppid, group: group, start: start, zombie: state == 'Z' || state == 'X'}, true
}
