package osproc

import "time"

// Process is one process as the system showed it at one moment.
type Process struct {
	PID, PPID, Group int
	Start            uint64 // clock ticks since boot on Linux, microseconds since 1970 on macOS; with PID it names a process of this boot for good
	Zombie           bool   // it has ended, and its parent has not waited for it: it runs nothing and holds nothing
}

// Alive reports whether a process of that pid runs; a zombie does not. In containers process 1
// often waits for orphans late or never, so a zombie may stay for as long as the container.
func Alive(pid int) bool {
	p, ok := Look(pid)
	return ok && !p.Zombie
}

// lookAgain is how often a process is looked at whose end the system does not tell us.
const lookAgain = 50 * time.Millisecond

// runs reports whether it is still there: not ended, and its pid not given away again.
func (p Process) runs() bool {
	now, ok := Look(p.PID)
	return ok && !now.Zombie && now.Start == p.Start
}
