package osproc

import "os"

// Look finds a process by its pid alone: no more is known of one here.
func Look(pid int) (Process, bool) {
	_, err := os.FindProcess(pid)
	return Process{PID: pid}, err == nil
}

// Processes cannot be listed here.
func Processes() []Process { return nil }

// Kill does nothing: without a start time a pid may be anybody's.
func (p Process) Kill() {}

// GroupAlive reports false: there are no groups here.
func GroupAlive(int) bool { return false }
