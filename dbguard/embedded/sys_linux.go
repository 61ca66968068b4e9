package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endWithParent asks the kernel to send sig when the thread that starts cmd
// ends; the guardian starts everything from one locked thread.
func endWithParent(cmd *exec.Cmd, sig syscall.Signal) { attr(cmd).Pdeathsig = sig }

// leftovers returns the processes of a server on the data directory. Every
// server process has it as its working directory, which proves it ours.
func leftovers(data string) (postmaster int, others []int) {
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return 0, nil
	}
	first, _ := postmasterPid(data)
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		exe = strings.TrimSuffix(exe, " (deleted)") // replaced by a package update
		switch {
		case cwd != real || filepath.Base(exe) != "postgres":
		case pid == first:
			postmaster = pid
		default:
			others = append(others, pid)
		}
	}
	return postmaster, others
}
