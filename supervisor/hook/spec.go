package hook

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Spec is one run of one hook.
type Spec struct {
	Name string

	// Shell is run by sh -c. Command is run as it is. Exactly one is set.
	Shell   string
	Command []string

	// Dir is the working directory; empty means the caller's own.
	Dir string
	// Env is the whole environment, as in exec.Cmd: nil means the caller's
	// own, a later entry wins. DEVGUARD, DEVGUARD_HOOK and DEVGUARD_CHANGED
	// are added to it.
	Env []string
	// Changed are the watched files behind this run, relative to the
	// configuration: DEVGUARD_CHANGED, one a line. None means "any may have
	// changed", as at start.
	Changed []string

	// Output is given to the hook itself as its stdout and stderr, so that it
	// sees a terminal if it is one and keeps its colours; nil means os.Stderr.
	Output *os.File
}

// Result says how a run went.
type Result struct {
	Took time.Duration
	// Err is nil when the hook succeeded. Otherwise it is a sentence for the
	// user; if it has a method Hint() string, that says what to do next.
	Err error
	// Code is the exit code: -1 when a signal ended the hook or it never ran.
	Code int
	// Signal names the signal that ended the hook, like "SIGKILL".
	Signal string

	byHand string
}

// ByHand is a line for sh that does what the hook has failed at; "" when there is none, or none that
// may be shown.
func (r Result) ByHand() string { return r.byHand }

// maxChanged bounds DEVGUARD_CHANGED. Linux refuses to start a program with one
// environment string above 128 KiB (MAX_ARG_STRLEN, execve(2)): a checkout of
// thousands of files would make the hook fail to start.
const maxChanged = 64 << 10

// environ is the environment of the hook.
func (s Spec) environ() []string {
	env := s.Env
	if env == nil {
		env = os.Environ()
	}
	changed := strings.Join(s.Changed, "\n")
	if len(changed) > maxChanged {
		changed = "" // too many to name: like at start, any may have changed
	}
	added := []string{"DEVGUARD=1", "DEVGUARD_HOOK=" + s.Name, "DEVGUARD_CHANGED=" + changed}
	if filepath.IsAbs(s.Dir) {
		added = append(added, "PWD="+s.Dir)
	}
	return append(env[:len(env):len(env)], added...)
}

// argv is the program and its arguments.
func (s Spec) argv() []string {
	if len(s.Command) > 0 {
		return s.Command
	}
	return []string{"sh", "-c", s.Shell}
}

// assignment matches NAME=value before a command where the value certainly ends with the word. The
// first word of PGPASSWORD='one two' psql is none.
var assignment = regexp.MustCompile(`^\w+=(?:` + unquoted + `|'[^']*'|"(?:` + unquoted + `|')*")*$`)

const unquoted = `[^'"\\$\x60]|\$\w+|\$\{\w+\}` // \x60 is a backquote

// named is the first word of the command, for messages; "" where it is not certain which word that is:
// another may be of a value with spaces before it, and is not to be shown.
func (s Spec) named() string {
	if len(s.Command) > 0 {
		return s.Command[0]
	}
	for word := range strings.FieldsSeq(s.Shell) {
		switch {
		case !strings.Contains(word, "="):
			return word
		case !assignment.MatchString(word):
			return ""
		}
	}
	return ""
}
