package session

// copyState is how far a COPY FROM STDIN is. There is one at a time: a message that may begin
// another waits for the end of the first.
type copyState uint8

const (
	noCopy     copyState = iota
	mayCopy              // a message was sent that may begin one; the server says so at once
	mayCopyFed           // and CopyData behind it
	copying              // the server waits for CopyData
	copyingFed           // and has been sent some
	doomed               // copying, but the client takes its batch for failed: CopyFail is due
	failing              // CopyFail was sent before a message that has no place here and waits
)

// copyIn is the COPY FROM STDIN of the batch.
type copyIn struct {
	state copyState
	by    uint64 // mayCopy, mayCopyFed: number of the message that may begin it
}

// may notes that a message goes upstream that may begin a COPY; by is its number.
func (c *copyIn) may(by uint64) {
	if c.state != noCopy {
		panic("BUG: a message that may begin a COPY goes upstream before the one before it is over")
	}
	*c = copyIn{mayCopy, by}
}

// fed notes that CopyData goes upstream. The server drops it when there is no COPY.
func (c *copyIn) fed() {
	switch c.state {
	case mayCopy:
		c.state = mayCopyFed
	case copying:
		c.state = copyingFed
	}
}

// began notes CopyInResponse. When the text did not look like a COPY, we do not know whether
// CopyData was sent; we assume that it was, because then a Sync is not passed on (see duringCopy).
func (c *copyIn) began() {
	state := copyingFed
	if c.state == mayCopy {
		state = copying
	}
	*c = copyIn{state: state}
}

// answered notes that message seq has been answered. If it might have begun a COPY, it has not.
func (c *copyIn) answered(seq uint64) {
	if c.mayBegin() && c.by == seq {
		*c = copyIn{}
	}
}

// over notes the end of a COPY that has begun.
func (c *copyIn) over() {
	if !c.mayBegin() {
		*c = copyIn{}
	}
}

// mayBegin reports whether a message was sent that may begin a COPY, and it is not known yet
// whether it does.
func (c *copyIn) mayBegin() bool { return c.state == mayCopy || c.state == mayCopyFed }

// runs reports whether the server waits for CopyData.
func (c *copyIn) runs() bool { return c.state == copying || c.state == copyingFed }
