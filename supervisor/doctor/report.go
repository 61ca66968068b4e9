package doctor

// Schema is the version of a Report.
const Schema = 1

// State says how one thing stands.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem"
)

// Line is what is said of one thing.
type Line struct {
	Check string `json:"check"` // what was looked at, for programs: see docs/json.md
	State State  `json:"state"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"` // what to do; never empty beside a warning or a problem
}

// Report is all that is said.
type Report struct {
	Schema   int    `json:"schema"`
	Problems int    `json:"problems"`
	Warnings int    `json:"warnings"`
	Lines    []Line `json:"lines"` // in the order of the checks
}

// Facts are what is known of a machine and a project.
type Facts struct {
	Project   Project
	Toolchain *Toolchain // nil when nothing is built
	Link      *Link      // nil when the program is small, or does not load
	Watch     *Watch     // nil when it is not known what would run
	Sockets   Sockets
	Ports     []Port
	Databases Databases
	Hooks     []Hook
}

// Trouble is one thing that is wrong, as who has noticed it says it.
type Trouble struct {
	Text string
	Fix  string // may be empty
}

// or returns the fix, or another one where there is none.
func (t Trouble) or(fix string) string {
	if t.Fix != "" {
		return t.Fix
	}
	return fix
}

// Examine says what the facts mean.
func Examine(f Facts) Report {
	r := &Report{Schema: Schema, Lines: []Line{}}
	f.Project.examine(r)
	if f.Toolchain != nil {
		f.Toolchain.examine(r)
	}
	if f.Link != nil {
		f.Link.examine(r)
	}
	if f.Watch != nil {
		f.Watch.examine(r)
	}
	f.Sockets.examine(r)
	for _, p := range f.Ports {
		p.examine(r)
	}
	f.Databases.examine(r)
	for _, h := range f.Hooks {
		h.examine(r)
	}
	return *r
}

func (r *Report) ok(check, text string) { r.Lines = append(r.Lines, Line{check, OK, text, ""}) }

func (r *Report) warn(check, text, fix string) {
	r.Warnings++
	r.Lines = append(r.Lines, Line{check, Warning, text, fix})
}

func (r *Report) problem(check, text, fix string) {
	r.Problems++
	r.Lines = append(r.Lines, Line{check, Problem, text, fix})
}
