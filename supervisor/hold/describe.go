package hold

import (
	"fmt"
	"time"
)

// Status is one place and what is known of it, for people.
type Status struct {
	Place  Place
	Kind   Kind
	Gen    int       // that has bound it, was handed it, or listens
	Since  time.Time // when it is held
	Reason string    // why it was let go
}

// Kind is how a place stands.
type Kind string

// The kinds.
const (
	PlaceBound     Kind = "bound" // by the app alone: it does not listen yet
	PlaceHanded    Kind = "handed"
	PlaceListening Kind = "listening"
	PlaceHeld      Kind = "held"
	PlaceLetGo     Kind = "let go"
)

// String says it in one line.
func (s Status) String() string {
	switch s.Kind {
	case PlaceHanded:
		return fmt.Sprintf("handed to generation %d, which does not listen yet", s.Gen)
	case PlaceHeld:
		return "held since " + s.Since.Format("15:04:05")
	case PlaceLetGo:
		return "let go: " + s.Reason
	}
	return fmt.Sprintf("%s by generation %d", s.Kind, s.Gen)
}

func (s bound) status() Status     { return Status{Kind: PlaceBound, Gen: s.gen} }
func (s handed) status() Status    { return Status{Kind: PlaceHanded, Gen: s.gen} }
func (s listening) status() Status { return Status{Kind: PlaceListening, Gen: s.gen} }
func (s held) status() Status      { return Status{Kind: PlaceHeld, Since: s.since} }
func (s renewed) status() Status   { return Status{Kind: PlaceHeld, Since: s.since} }
