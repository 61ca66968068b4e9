package proc

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// members are the descendants of the roots, parents first, without the roots.
// The group plays no role here: a guardian's descendants are the whole tree.
// While processes fork and exit, any look may miss one; who must have them all
// looks until there is none.
func members(_ int, roots ...int) []osproc.Process {
	childrenOf := listed
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		childrenOf = scanned() // a kernel without CONFIG_PROC_CHILDREN: ten times the work
	}
	var tree []osproc.Process
	seen := map[int]bool{}
	for _, root := range roots {
		seen[root] = true
	}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		for _, p := range childrenOf(queue[0]) {
			// Another parent: an orphan that has just come to a guardian, or a
			// pid that somebody else has by now.
			if !seen[p.PID] && seen[p.PPID] {
				seen[p.PID] = true
				tree = append(tree, p)
				queue = append(queue, p.PID)
			}
		}
	}
	return tree
}

// listed asks the kernel for the children of each thread of pid.
func listed(pid int) []osproc.Process {
	var children []osproc.Process
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	entries, _ := os.ReadDir(tasks)
	for _, task := range entries {
		b, _ := os.ReadFile(tasks + "/" + task.Name() + "/children")
		for f := range bytes.FieldsSeq(b) {
			if child, err := strconv.Atoi(string(f)); err == nil {
				if p, ok := osproc.Look(child); ok {
					children = append(children, p)
				}
			}
		}
	}
	return children
}

// scanned finds children by looking at every process once.
func scanned() func(pid int) []osproc.Process {
	children := map[int][]osproc.Process{}
	for _, p := range osproc.Processes() {
		children[p.PPID] = append(children[p.PPID], p)
	}
	return func(pid int) []osproc.Process { return children[pid] }
}

// treeGone: a subreaper without a child has no descendant.
func treeGone(childless bool, _ int) bool { return childless }

// killTree kills every descendant, again and again until a look at the
// processes shows none that was not killed before: one that forks faster than
// it is found leaves children, and they are found at the next look. The bound
// hands back to the caller, who reaps and comes again.
func killTree(group int, running bool) {
	if running {
		_ = unix.Kill(-group, unix.SIGKILL) // at once for all members, forks under way included
	}
	killed := map[osproc.Process]bool{}
	for range 100 {
		fresh := false
		for _, p := range members(0, os.Getpid()) {
			if !p.Zombie && !killed[p] {
				fresh = true
				killed[p] = true
				p.Kill() // EPERM: it stays, and Stop reports it
			}
		}
		if !fresh {
			return
		}
	}
}
