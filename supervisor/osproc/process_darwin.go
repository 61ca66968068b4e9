package osproc

import "golang.org/x/sys/unix"

const zombie = 5 // SZOMB of sys/proc.h

// Look returns the process of that pid; false when there is none.
func Look(pid int) (Process, bool) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return Process{}, false
	}
	return of(k), true
}

// Processes are all that sysctl shows.
func Processes() []Process {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	out := make([]Process, len(all))
	for i := range all {
		out[i] = of(&all[i])
	}
	return out
}

func of(k *unix.KinfoProc) Process {
	at := k.Proc.P_starttime
	return Process{
		PID: int(k.Proc.P_pid), PPID: int(k.Eproc.Ppid), Group: int(k.Eproc.Pgid),
		Start: uint64(at.Sec)*1e6 + uint64(at.Usec), Zombie: k.Proc.P_stat == zombie,
	}
}

// Kill sends SIGKILL to the process, unless its pid was given away again since it was looked at.
// What cannot be killed shows at the next look.
func (p Process) Kill() {
	if p.runs() {
		_ = unix.Kill(p.PID, unix.SIGKILL)
	}
}
