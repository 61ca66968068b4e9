package statedir

import (
	"fmt"
	"os"

	"github.com/devguard/devguard/supervisor/osproc"
)

func startTime(p osproc.Process) string { return fmt.Sprintf("%d.%06d", p.Start/1e6, p.Start%1e6) }

// find knows an app by pid and start time, and while that lives its group. The
// environment of other processes is not readable here.
func find(records []record, _ owner) []Leftover {
	var found []Leftover
	for _, r := range records {
		if !r.App.alive() || r.App.PID == os.Getppid() {
			continue
		}
		for _, p := range osproc.Processes() {
			if p.Group == r.Group && p.PID != r.App.PID && !p.Zombie {
				found = append(found, Leftover{PID: p.PID, Gen: r.Gen, start: startTime(p)})
			}
		}
		found = append(found, Leftover{PID: r.App.PID, Gen: r.Gen, start: r.App.Start}) // last: it proves whose the group is
	}
	return found
}
