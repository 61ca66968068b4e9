package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/devguard/devguard/supervisor/osproc"
)

// leftovers returns the processes of a server on the data directory. Every server process has it as
// its working directory, which proves it ours.
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
		switch {
		case cwd != real || !maybeServer(dir):
		case pid == first:
			postmaster = pid
		default:
			others = append(others, pid)
		}
	}
	return postmaster, others
}

// maybeServer reports whether the process runs postgres, or is on its way out: it loses its program
// first, then, some milliseconds later, its part of the server's shared memory, its sockets, and
// last its working directory.
func maybeServer(dir string) bool {
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	exe = strings.TrimSuffix(exe, " (deleted)") // replaced by a package update
	return errors.Is(err, fs.ErrNotExist) || err == nil && filepath.Base(exe) == "postgres"
}

// notServer reports that pid certainly is no live server on the data directory: another program, a
// server elsewhere, or a zombie, which has no program and stays for as long as its parent likes
// (PID 1 of many containers: for ever).
func notServer(pid int, data string) bool {
	if p, ok := osproc.Look(pid); ok && p.Zombie {
		return true
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return false // gone, or of another user: no trouble to a server
	}
	if filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "postgres" {
		return true
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return false
	}
	cwd, err := os.Readlink(filepath.Join(dir, "cwd"))
	return err == nil && cwd != real
}
