package sockets

import (
	"os"
	"slices"
	"strconv"
	"syscall"
)

// SameNetwork returns those of pids that are in this process's network namespace. In
// another one the addresses of a connection of ours may be those of another connection.
func SameNetwork(pids []int) []int {
	own, err := os.Readlink("/proc/self/ns/net")
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		name, failed := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
		return err != nil || failed != nil || name != own
	})
}

// SameUser reports whether our own user runs all of the processes pids. One that has
// ended is nobody's.
func SameUser(pids []int) bool {
	return !slices.ContainsFunc(pids, func(pid int) bool {
		info, err := os.Stat("/proc/" + strconv.Itoa(pid))
		if err != nil {
			return false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		return !ok || int(stat.Uid) != os.Geteuid()
	})
}
