//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"strings"
)

// leftovers returns the postmaster on the data directory, which our command line proves to be ours,
// and its children.
func leftovers(data string) (postmaster int, others []int) {
	first, err := postmasterPid(data)
	if err != nil {
		return 0, nil
	}
	out, err := exec.Command("ps", "-axww", "-o", "pid=,ppid=,command=").Output()
	if err != nil {
		return 0, nil
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		ppid, _ := strconv.Atoi(f[1])
		switch {
		case pid == first && strings.Contains(line, "-D "+data+" "):
			postmaster = pid
		case ppid == first:
			others = append(others, pid)
		}
	}
	if postmaster == 0 {
		return 0, nil
	}
	return postmaster, others
}

// notServer reports that pid certainly is no live server on the data directory: another program, or
// a zombie.
func notServer(pid int, _ string) bool {
	out, err := exec.Command("ps", "-o", "stat=,comm=", "-p", strconv.Itoa(pid)).Output()
	f := strings.Fields(string(out))
	return err == nil && len(f) > 1 && (f[0][0] == 'Z' || !strings.Contains(string(out), "postgres"))
}
