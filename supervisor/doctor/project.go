package doctor

import (
	"fmt"
	"strings"
)

// Project is what is configured, and what runs here already.
type Project struct {
	Config  string    // devguard.toml, as it is shown; "" when there is none
	Invalid []Trouble // of the configuration, the command line and env files
	Runs    string    // a package or a command; "" when that is not known
	Running []Running // devguards of this project
}

// Running is a devguard that runs.
type Running struct {
	Name string
	PID  int

	Failed []Trouble // what has failed there and has not succeeded since
}

func (p Project) examine(r *Report) {
	const check = "configuration"
	for _, t := range p.Invalid {
		r.problem(check, t.Text, t.or("correct that; devguard run says the same"))
	}
	switch {
	case len(p.Invalid) > 0:
	case p.Config == "":
		r.ok(check, "there is no devguard.toml, and none is needed; it would run "+p.Runs)
	default:
		r.ok(check, p.Config+" is valid; it would run "+p.Runs)
	}
	for _, d := range p.Running {
		r.ok("running", fmt.Sprintf("devguard %q runs here, pid %d", d.Name, d.PID))
		for _, t := range d.Failed {
			r.warn("running", fmt.Sprintf("devguard %q: %s", d.Name, t.Text), t.or("correct that; devguard status says more"))
		}
	}
}

// Hook is one [[hook]] of devguard.toml.
type Hook struct {
	Name    string
	Place   string   // file:line
	Program string   // the first word of its command; "" when the shell alone can tell
	Missing *Trouble // why the program cannot be run
	Spills  []string // variables with a secret that a shell writes on a command line
	Literal bool     // a password is written in its command
	Shared  []string // names of devguards that run and have the hook, which migrates; two at least
}

func (h Hook) examine(r *Report) {
	const check = "hook"
	name := fmt.Sprintf("%s: hook %q", h.Place, h.Name)
	before := len(r.Lines)
	if h.Missing != nil {
		r.problem(check, h.Place+": "+h.Missing.Text, h.Missing.or("install it, or correct run"))
	}
	if h.Literal {
		r.warn(check, name+" has a password in its command, where ps shows it to every user, and git keeps it",
			"keep it in a variable that the tool reads by itself, set in the environment or in .env")
	}
	for _, variable := range h.Spills {
		r.warn(check, fmt.Sprintf("%s writes $%s on a command line, where ps shows its password to every user", name, variable),
			spillFix(h.Program, variable))
	}
	if len(h.Shared) > 1 {
		r.warn(check, fmt.Sprintf("%s migrates, and %s have it: it runs once for all of them, but only the one that runs it pauses its app; sessions of the others may block it",
			name, quoted(h.Shared)), "keep the hook in one of them: start the others with a file without it, devguard run --config FILE")
	}
	switch {
	case len(r.Lines) > before:
	case h.Program == "":
		r.ok(check, name+" is a shell script, which was not looked into")
	default:
		r.ok(check, fmt.Sprintf("%s: %s is there", name, h.Program))
	}
}

// spillFix says how a tool gets an address otherwise than by its command line.
func spillFix(program, variable string) string {
	switch program {
	case "goose":
		return fmt.Sprintf("GOOSE_DRIVER=postgres GOOSE_DBSTRING=$%s goose up: before the command it is environment, which only your own user can see", variable)
	case "psql", "pg_dump", "pg_restore", "createdb":
		return "let it read PGHOST, PGUSER, PGPASSWORD and PGDATABASE from its environment, or a service of ~/.pg_service.conf"
	}
	return fmt.Sprintf("have the tool read $%s by itself, or set a variable of its own before the command: NAME=$%s %s ...; that is environment, which only your own user can see",
		variable, variable, program)
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, " and ")
}
