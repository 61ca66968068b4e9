package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// figures are of a tool's process, and of its descendants that run the same program: devguard's guardian, and those
// that hold sockets and watch terminals. What they share of the program itself is counted once.
type figures struct {
	cpu       time.Duration // of all
	watches   int
	rss, peak float64 // MB
	children  float64 // MB, of the descendants: what they do not share
}

// lookAt reads /proc.
func lookAt(pid int) (f figures, err error) {
	program, err := os.Readlink(proc(pid, "exe"))
	if err != nil {
		return f, err
	}
	if f.rss, f.peak, err = memoryOf(pid); err != nil {
		return f, err
	}
	f.cpu, f.watches = cpuOf(pid), watchesOf(pid)
	for _, child := range descendants(pid) {
		if of, err := os.Readlink(proc(child, "exe")); err == nil && of == program {
			f.children += unshared(child)
			f.cpu += cpuOf(child)
		}
	}
	return f, nil
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

func memoryOf(pid int) (rss, peak float64, err error) {
	text, err := os.ReadFile(proc(pid, "status"))
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "VmRSS: %f", &rss)
		fmt.Sscanf(line, "VmHWM: %f", &peak)
	}
	return rss / 1024, peak / 1024, err
}

// unshared is what a process has of memory to itself, in MB.
func unshared(pid int) float64 {
	text, _ := os.ReadFile(proc(pid, "smaps_rollup"))
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		var kb float64
		fmt.Sscanf(line, "Private_Clean: %f", &kb)
		fmt.Sscanf(line, "Private_Dirty: %f", &kb)
		sum += kb
	}
	return sum / 1024
}

// cpuOf is the time of a process itself, not of its children. Linux counts in hundredths of a second.
func cpuOf(pid int) time.Duration {
	fields := stat(pid)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// stat are the fields from the third on: a name may have spaces.
func stat(pid int) []string {
	text, _ := os.ReadFile(proc(pid, "stat"))
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

func watchesOf(pid int) (n int) {
	infos, _ := filepath.Glob(proc(pid, "fdinfo/*"))
	for _, info := range infos {
		text, _ := os.ReadFile(info)
		n += bytes.Count(text, []byte("inotify wd:"))
	}
	return n
}

func descendants(pid int) (all []int) {
	parents := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		if fields := stat(child); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			parents[parent] = append(parents[parent], child)
		}
	}
	all = parents[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all
}
