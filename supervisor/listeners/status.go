package listeners

import "time"

// Status is what is held, for people.
type Status struct {
	Off     string // why nothing is held in this run any more; "" while it is
	Sockets []Socket
}

// Socket is one address and how it stands: "listening by generation 3", "held since 12:04:05",
// "let go: ..." and why.
type Socket struct {
	Address, State string

	Kind   string    // the same for programs: handed, listening, held, let go
	Gen    int       // that was handed it, or listens
	Since  time.Time // when it is held
	Reason string    // why it was let go
}
