package session

// copyState is how far a COPY FROM STDIN is. There is one at a time: what may begin another waits for the end of the
// first.
type copyState uint8

const (
	noCopy     copyState = iota
	mayCopy              // a message was sent that may begin one; the server says so at once
	mayCopyFed           // and CopyData behind it
	copying              // the server waits for CopyData
	copyingFed           // and has been sent some
	doomed               // the server waits for data in a batch that the client takes for failed: CopyFail is due
	failing              // CopyFail was sent before a message that has no place in a COPY, and which waits for its error
)

// copyIn is the COPY FROM STDIN of the batch.
type copyIn struct {
	state copyState
	by    uint64 // mayCopy, mayCopyFed: number of the message that may begin it
}

// may follows a message that may begin a COPY.
func (c *copyIn) may(by uint64) {
	if c.state != noCopy {
		panic("BUG: a message that may begin a COPY goes upstream before the one before it is over")
	}
	*c = copyIn{mayCopy, by}
}

// fed follows CopyData. Outside of a COPY the server throws it away.
func (c *copyIn) fed() {
	switch c.state {
	case mayCopy:
		c.state = mayCopyFed
	case copying:
		c.state = copyingFed
	}
}

// began follows CopyInResponse. What was fed to a COPY that could not be foreseen is not known, so it is taken for fed:
// that is the state in which less is passed on.
func (c *copyIn) began() {
	state := copyingFed
	if c.state == mayCopy {
		state = copying
	}
	*c = copyIn{state: state}
}

// answered follows the end of a message: if it might have begun a COPY, it has not.
func (c *copyIn) answered(seq uint64) {
	if c.mayBegin() && c.by == seq {
		*c = copyIn{}
	}
}

// over follows what ends a COPY that has begun.
func (c *copyIn) over() {
	if !c.mayBegin() {
		*c = copyIn{}
	}
}

// mayBegin: it is not known yet whether there is a COPY.
func (c *copyIn) mayBegin() bool { return c.state == mayCopy || c.state == mayCopyFed }

// runs: the server waits for CopyData.
func (c *copyIn) runs() bool { return c.state == copying || c.state == copyingFed }
