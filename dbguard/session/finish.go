package session

// Finish is the next thing to do to end the upstream session once the client is gone.
type Finish struct {
	Cancel bool   // a statement runs: send a CancelRequest, and wait until it has been taken
	Send   []byte // write this to the upstream; not to be changed
	Done   bool   // write Send, then read to the end: the server closes
	Broken bool   // nothing can be sent any more: close the connection, after the cancel
}

// ending is how far the end of a session is.
type ending struct {
	terminated bool // the client's Terminate has been taken
	begun      bool // Finish has been called: Client takes nothing
	cancelled  bool // a cancel was asked for and no ReadyForQuery has come since
	rolledBack bool // ROLLBACK has been sent
}
