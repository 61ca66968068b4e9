package statedir

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const zombie = 5 // SZOMB of sys/proc.h

func startTime(pid int) (string, bool) {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(p.Proc.P_pid) != pid || p.Proc.P_stat == zombie {
		return "", false
	}
	at := p.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", at.Sec, at.Usec), true
}

// find knows an app by pid and start time, and while that lives its group. The
// environment of other processes is not readable here.
func find(records []record, _ owner) []Leftover {
	var found []Leftover
	for _, r := range records {
		if !r.App.alive() || r.App.PID == os.Getppid() {
			continue
		}
		members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", r.Group)
		if err != nil {
			members = nil
		}
		for _, m := range members {
			if pid := int(m.Proc.P_pid); pid != r.App.PID && m.Proc.P_stat != zombie {
				start, _ := startTime(pid)
				found = append(found, Leftover{PID: pid, Gen: r.Gen, start: start})
			}
		}
		found = append(found, Leftover{PID: r.App.PID, Gen: r.Gen, start: r.App.Start}) // last: it proves whose the group is
	}
	return found
}

// kill leaves alone a pid that was given away again; what cannot be killed shows
// at the next look.
func (p process) kill() {
	if p.alive() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
}
