package hook

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// attributes of the hook's process. The parent-death signal reaches it alone
// and is not inherited: the rest of the group is the guard's.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// alive reports whether the group has a process that still runs. In containers
// process 1 often waits for orphans late or never, and kill(2) finds the dead
// ones too: only their state tells. Read while a hook is being cancelled.
func (g group) alive() bool {
	if !g.exists() {
		return false
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return true // no /proc: the grace is left late
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err == nil && runsIn(stat, int(g)) {
			return true
		}
	}
	return false
}

// runsIn reads proc_pid_stat(5): "pid (name) state ppid pgrp ...". The name may
// contain anything, so the fields start at the last parenthesis.
func runsIn(stat []byte, pgrp int) bool {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 || string(fields[2]) != strconv.Itoa(pgrp) {
		return false
	}
	return fields[0][0] != 'Z' && fields[0][0] != 'X'
}
