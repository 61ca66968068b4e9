//go:build !linux

package sockets

// SameNetwork returns those of pids that are in this process's network namespace: all,
// where there is one for the whole machine.
func SameNetwork(pids []int) []int { return pids }

// SameUser reports whether our own user runs all of the processes pids, as far as that
// is known: here it is not.
func SameUser([]int) bool { return false }
