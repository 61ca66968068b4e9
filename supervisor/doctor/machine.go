package doctor

import (
	"fmt"
	"strings"
)

// Toolchain is what builds the app, and what the app is built from.
type Toolchain struct {
	Version string   // of the go command; "" when it does not say
	Module  string   // the file go.mod, as it is shown; "" when there is none
	Failed  *Trouble // why the packages of the app cannot be listed

	Packages             int // that the app is built from, without the standard library
	Directories, Modules int // of them, that are watched
}

func (t Toolchain) examine(r *Report) {
	if t.Version != "" {
		r.ok("go", t.Version)
	}
	if t.Failed != nil {
		check, fix := t.diagnose()
		r.problem(check, t.Failed.Text, fix)
		return
	}
	r.ok("module", t.Module+" and go.sum agree with what is imported")
	r.ok("graph", fmt.Sprintf("%s beside the standard library; watched: %s of %s",
		many(t.Packages, "package"), many(t.Directories, "directory"), many(t.Modules, "module")))
}

// diagnose says which check has failed, and what helps, by what the go command says itself.
func (t Toolchain) diagnose() (check, fix string) {
	text := t.Failed.Text
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case t.Version == "", has("toolchain", "requires go >="):
		return "go", t.Failed.or("install the version that go.mod asks for, or let the go command fetch it: go env -w GOTOOLCHAIN=auto")
	case has("inconsistent vendoring"):
		return "module", "go mod vendor"
	case has("go.sum", "updates to go.mod needed", "go mod tidy", "no required module provides", "but not required", "go.mod"):
		return "module", t.Failed.or("go mod tidy")
	}
	return "graph", t.Failed.or("correct that; devguard run builds as soon as it loads")
}

// Watch is how the files of the app would be watched: a watcher was started, as in a run.
type Watch struct {
	Directories, Files int
	Mode               string    // events or poll
	Asked              string    // watch.poll, when it is not "auto"
	FileSystem         string    // the type of the project's
	Remote             *Remote   // a directory whose events are not to be relied on
	Notes              []Trouble // that the watcher had

	Limit, Used                 int // watches that one user may have, and those that are in use without ours; 0: not known
	InstanceLimit, InstanceUsed int // the same of watchers
}

// Remote is a directory on a file system that others may write to.
type Remote struct{ Dir, Type string }

// scarce is the part of a limit below which little is left. A guess: a branch switch or another
// editor window may ask for as much.
const scarce = 10

func (w Watch) examine(r *Report) {
	const check = "watch"
	for _, n := range w.Notes {
		r.warn(check, n.Text, n.or("see watch in config.example.toml"))
	}
	w.limits(r)
	w.files(r)
}

func (w Watch) limits(r *Report) {
	text := fmt.Sprintf("%s to watch for %s", many(w.Directories, "directory"), many(w.Files, "file"))
	if w.Limit > 0 {
		text += fmt.Sprintf("; %d of %d watches of this user are in use", w.Used, w.Limit)
	}
	if w.InstanceLimit > 0 {
		text += fmt.Sprintf(", and %d of %d watchers", w.InstanceUsed, w.InstanceLimit)
	}
	left := w.Limit - w.Used - w.Directories
	if w.Mode == "events" && w.Limit > 0 && left < w.Limit/scarce {
		want := max(2*(w.Used+w.Directories), 524288)
		r.warn("watch.limit", text+": hardly any is left, and without one devguard polls",
			fmt.Sprintf("sudo sysctl fs.inotify.max_user_watches=%d (and put that line into /etc/sysctl.d/ to keep it); in a user namespace user.max_inotify_watches is a limit, too", want))
		return
	}
	r.ok("watch.limit", text)
}

func (w Watch) files(r *Report) {
	const check = "files"
	switch {
	case w.Asked == "off":
		r.ok(check, `watch.poll is "off": only events tell of changes`)
	case w.Asked != "":
		r.ok(check, "watch.poll asks for a look every "+w.Asked+": events are not needed")
	case w.Remote != nil:
		r.warn(check, fmt.Sprintf("the file system of %s (%s) may not report every change: devguard looks at all files every second, too", w.Remote.Dir, w.Remote.Type),
			"keep the project on a file system of this machine: in WSL below ~, not below /mnt; in a container in a volume, not in a folder of the host")
	case w.Mode == "events":
		r.ok(check, "events can be relied on"+in(w.FileSystem))
	}
}

func in(fileSystem string) string {
	if fileSystem == "" {
		return ""
	}
	return " (" + fileSystem + ")"
}

// Sockets says whether listening sockets can outlive a generation of the app.
type Sockets struct {
	Wanted  bool     // by the configuration
	System  string   // the operating system, where it has no way to do that; "" where it has
	Refused *Trouble // why the try has failed
}

func (s Sockets) examine(r *Report) {
	const check = "sockets"
	switch {
	case !s.Wanted:
		r.ok(check, "hold_sockets is off: connections are refused while the app restarts")
	case s.System != "":
		r.ok(check, "there are no held sockets on "+s.System+": connections are refused while the app restarts")
	case s.Refused != nil:
		r.warn(check, "listening sockets cannot be held over a restart: "+s.Refused.Text, s.Refused.or("hold_sockets = false below [app] in devguard.toml asks for that"))
	default:
		r.ok(check, "listening sockets are held over a restart (tried)")
	}
}

// Port is an address of this machine that somebody is configured to listen on.
type Port struct {
	What    string // who says so: control, ready.tcp, ready.http, listen of [[database]], PORT
	Address string
	Guess   bool   // the app may listen elsewhere
	By      Holder // who listens there now
	Failed  string // why nobody can listen there, when that is not because of By
}

// Holder is who listens at an address.
type Holder struct {
	State HolderState
	PID   int    // of Another; 0 when it cannot be seen
	Name  string // likewise
}

// HolderState says whose a listener is.
type HolderState int

// The states of a Holder.
const (
	Nobody HolderState = iota
	Ours               // a devguard of this project, or its app
	Another
)

func (p Port) examine(r *Report) {
	const check = "port"
	name := p.What + " " + p.Address
	say := r.problem
	if p.Guess {
		say = r.warn
	}
	switch {
	case p.Failed != "":
		say(check, name+" cannot be listened on: "+p.Failed, "write another address for "+p.What)
	case p.By.State == Ours:
		r.ok(check, name+" is in use by the devguard that runs here")
	case p.By.State == Another && p.By.PID != 0:
		say(check, fmt.Sprintf("%s is in use by process %d (%s)", name, p.By.PID, p.By.Name),
			fmt.Sprintf("kill %d, or write another address for %s", p.By.PID, p.What))
	case p.By.State == Another:
		say(check, name+" is in use by a process of another user or container", "end it (sudo ss -ltnp names it), or write another address for "+p.What)
	default:
		r.ok(check, name+" is free")
	}
}

func many(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "y"):
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
