package reload

import "strings"

// Outcome says what has become of a state of the tree.
type Outcome string

// The outcomes.
const (
	Pending Outcome = "pending" // it is not known yet
	Served  Outcome = "served"  // what runs is made of it, or it asks for nothing
	Failed  Outcome = "failed"  // it is not served, and will not be by itself
	Ending  Outcome = "ending"  // devguard ends
)

// Verdict says what has become of the tree as it was at a version: whether it is served, and if
// not, whether anything that goes on may still lead to that. A newer save counts in its place: its
// build is of that version too.
//
// A hook that has failed, is suspended, or is held counts against every version until it has
// succeeded: what it makes is not of the tree. So does a configuration that is not valid. A crash
// counts although the app is to be started again. Of a command the start is all that is awaited,
// and one that has ended well was served.
func (s Snapshot) Verdict(version uint64) Outcome {
	switch {
	case s.ending():
		return Ending
	case s.Version < version:
		return Pending
	case s.up() && s.GenVersion >= version && !s.stuck():
		return Served
	case s.Rest == AtWork:
		return Pending
	case s.stuck() || s.failed("build"):
		return Failed
	case s.Rest == Handover:
		return Pending
	case s.Command && s.Phase == (exited{}).String() && s.nothingDue():
		return Served
	}
	return Failed
}

// up reports whether the generation has come as far as can be awaited.
func (s Snapshot) up() bool { return s.Ready || s.Command && s.Phase == (running{}).String() }

func (s Snapshot) ending() bool {
	if s.Done {
		return true
	}
	for _, h := range s.Holds {
		if h.What == "shutdown" {
			return true
		}
	}
	return false
}

// stuck reports whether something has to be put right before the tree is what is served, whatever
// is built.
func (s Snapshot) stuck() bool {
	for _, h := range s.Hooks {
		switch h.State {
		case "failed", "suspended", "held":
			return true
		}
	}
	return s.failed("configuration")
}

func (s Snapshot) failed(what string) bool {
	for _, f := range s.Failures {
		if f.What == what {
			return true
		}
	}
	return false
}

// nothingDue reports whether all is done but to start anew what has ended.
func (s Snapshot) nothingDue() bool {
	for _, h := range s.Holds {
		if h.What != "start" {
			return false
		}
	}
	return len(s.Failures) == 0
}

// Sentence says of a Failure what has failed and how. It names that once: errors of package hook
// begin with it.
func Sentence(what, text string) string {
	if strings.HasPrefix(text, what) {
		return text
	}
	return what + ": " + text
}

// Blame is why a version that has Failed is not served, for people: what has failed, and what waits
// for somebody to do something.
func (s Snapshot) Blame() []string {
	var why []string
	told := map[string]bool{}
	for _, f := range s.Failures {
		why = append(why, Sentence(f.What, f.Err.Error()))
		told[f.What] = true
	}
	if s.Phase == (crashed{}).String() {
		why = append(why, "start: the app crashed; its output is in the terminal of devguard run")
		told["start"] = true // that it waits for its next start says less
	}
	for _, h := range s.Holds {
		covered := told[h.What] || len(why) > 0 && (h.What == "restart" || h.What == "start")
		if !covered {
			why = append(why, h.What+": "+h.Reason)
		}
	}
	switch {
	case len(why) > 0:
	case s.up(): // of an older tree, and nothing is due: nobody knows what the newer one asks for
		why = append(why, "the packages could not be listed")
	default:
		why = append(why, "the app: "+s.Phase)
	}
	return why
}
