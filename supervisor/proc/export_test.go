package proc

// Gone is closed when the whole tree is gone, its guardian included.
func (i *Instance) Gone() <-chan struct{} { return i.gone }
