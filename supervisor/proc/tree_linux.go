package proc

import (
	"bytes"
	"os"
	"slices"
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
// While processes fork and exit, any look may miss one; who must have them all
// looks until there is none.
func members(_ int, roots ...int) []member {
	childrenOf := listed
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		childrenOf = scanned() // a kernel without CONFIG_PROC_CHILDREN: ten times the work
	}
	var tree []member
	seen := map[int]bool{}
	for _, root := range roots {
		seen[root] = true
	}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		for _, p := range childrenOf(queue[0]) {
			// Another parent: an orphan that has just come to a guardian, or a
			// pid that somebody else has by now.
			if !seen[p.pid] && seen[p.ppid] {
				seen[p.pid] = true
				tree = append(tree, p)
				queue = append(queue, p.pid)
			}
		}
	}
	return tree
}

// listed asks the kernel for the children of each thread of pid.
func listed(pid int) []member {
	var children []member
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	entries, _ := os.ReadDir(tasks)
	for _, task := range entries {
		b, _ := os.ReadFile(tasks + "/" + task.Name() + "/children")
		for f := range bytes.FieldsSeq(b) {
			if child, err := strconv.Atoi(string(f)); err == nil {
				if p, ok := readMember(child); ok {
					children = append(children, p)
				}
			}
		}
	}
	return children
}

// scanned finds children by looking at every process once.
func scanned() func(pid int) []member {
	children := map[int][]member{}
	for _, p := range processes() {
		children[p.ppid] = append(children[p.ppid], p)
	}
	return func(pid int) []member { return children[pid] }
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
