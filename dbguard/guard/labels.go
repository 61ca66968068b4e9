package guard

import (
	"strconv"
	"strings"
)

// labels are the application names of the sessions of this run of devguard and of
// those that were killed before it.
type labels struct {
	run      string   // 32 hexadecimal digits: a label must fit the 63 bytes that a server keeps of a name
	previous []string // likewise
}

// of returns the label of a generation's sessions.
func (l labels) of(gen int) string { return labelPrefix(l.run) + strconv.Itoa(gen) }

// labelPrefix returns what the labels of all generations of a run begin with.
func labelPrefix(run string) string { return "devguard:" + run + ":" }

// isLabel reports whether an application name is the label of some devguard.
func isLabel(name string) bool { return strings.HasPrefix(name, "devguard:") }

// prefixes returns what the labels of sessions begin with that a drain up to
// generation gen looks for: 0 means only those of previous runs.
func (l labels) prefixes(gen int) (list []string) {
	for _, run := range l.previous {
		list = append(list, labelPrefix(run))
	}
	if gen > 0 {
		list = append(list, labelPrefix(l.run))
	}
	return list
}

// ended reports whether a session with this application name is none of a later
// generation of this run than gen.
func (l labels) ended(name string, gen int) bool {
	number, ofThisRun := strings.CutPrefix(name, labelPrefix(l.run))
	if !ofThisRun {
		return true
	}
	n, err := strconv.Atoi(number)
	return err == nil && n <= gen
}
