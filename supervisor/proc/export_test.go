package proc

// Gone is closed when the whole tree is gone, its guardian included.
func (i *Instance) Gone() <-chan struct{} { return i.gone }

// SuspendWait is how long Suspend waits.
const SuspendWait = suspendWait
