package proc

import "time"

// suspendWait is how long Suspend waits for an app that catches SIGTSTP, to put its screen in
// order, or ignores it (a guess: one that does nothing of the kind is stopped within milliseconds).
const suspendWait = 500 * time.Millisecond

// Suspend stops the app's group like Ctrl-Z, and takes back the terminal that it may have. It
// returns when the main process is stopped or has exited, or takes no notice for half a second.
func (i *Instance) Suspend() {
	select {
	case <-i.suspended: // of a Suspend that did not wait for it
	default:
	}
	if i.command(command{Op: opSuspend}) != nil {
		return // the guardian is gone, and so is the app
	}
	timer := time.NewTimer(suspendWait)
	defer timer.Stop()
	select {
	case <-i.suspended:
	case <-i.done:
	case <-timer.C:
	}
}

// Continue lets a suspended app go on, with the terminal if it had it and devguard has it now.
func (i *Instance) Continue() {
	_ = i.command(command{Op: opContinue}) // fails only when the guardian is gone, and then so is the app
}

// Stops has a value when the app was stopped while it has the terminal, which only Spec.Foreground
// gives it: by Ctrl-Z, which reaches nobody else there. The terminal is devguard's again then.
func (i *Instance) Stops() <-chan struct{} { return i.stops }

// tell leaves a value in c; one is as good as many.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
