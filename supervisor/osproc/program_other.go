//go:build !linux

package osproc

import "time"

// AwaitEnd waits until a process has ended, which may be nobody's child here. A zombie has.
func (p Process) AwaitEnd() {
	for p.runs() {
		time.Sleep(lookAgain)
	}
}
