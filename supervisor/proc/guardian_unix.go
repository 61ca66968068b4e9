//go:build linux || darwin

package proc

import (
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// How a guardian knows itself: these arguments, which no shell writes by
// accident, and a connected Unix socket as descriptor 3. The word devguard is
// left out on purpose: `pkill -9 -f devguard` would end the guardians too, and
// with them all knowledge of what the app has started.
const (
	guardianName  = "guardian"
	stageFlag     = "--stage"
	stageWarden   = "warden"
	stageGuardian = "guardian"
	socketFD      = 3
	wardenFD      = 4 // its end of file is the warden's death
)

func guardianArgs(stage string) []string { return []string{guardianName, stageFlag, stage} }

// orphanLimit bounds how long a guardian whose devguard is dead goes on killing what
// does not die.
const orphanLimit = 10 * time.Second

// Guardian must be the first thing main does, and TestMain of every package
// that starts instances. In an ordinary process it returns at once. In a process
// that Start made it does the guardian's work and never returns; as process 1 of
// a container it runs the program again as its child, passes signals on, reaps
// orphans, and exits as the child did.
func Guardian() {
	if os.Getpid() == 1 {
		os.Exit(runInit())
	}
	if len(os.Args) != 3 || os.Args[0] != guardianName || os.Args[1] != stageFlag {
		return
	}
	if peer, err := unix.Getpeername(socketFD); err != nil {
		return
	} else if _, ok := peer.(*unix.SockaddrUnix); !ok {
		return
	}
	// The parent-death signal of the app is tied to the thread that forks it:
	// it must live as long as the process.
	runtime.LockOSThread()
	// A Ctrl-Z that came before this process had a group of its own waits behind the block. It would
	// stop us for ever: `fg` continues another group. SIGCONT drops it (POSIX, 2.4.1).
	_ = unix.Kill(unix.Getpid(), unix.SIGCONT)
	osproc.TakeJobStop() // the app must not inherit that it is blocked
	setUp()
	surviveSignals()
	switch os.Args[2] {
	case stageWarden:
		runWarden()
	case stageGuardian:
		runGuardian()
	}
	// Not os.Exit: nothing of this process asked to run at exit, and a race
	// detector would sleep a second first, twice for each stop.
	syscall.Exit(0)
}

// surviveSignals makes the signals that end devguard harmless here. They are
// caught, not ignored: an ignored one would stay ignored in the app. One that
// was ignored when devguard was started (nohup) stays so, in the app too.
func surviveSignals() {
	caught := make(chan os.Signal, 1)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM} {
		if !signal.Ignored(sig) {
			signal.Notify(caught, sig) // nobody reads it: the package drops what does not fit
		}
	}
}

// guard is the state of the guardian process; one goroutine owns it.
type guard struct {
	conn   *net.UnixConn
	phase  phase
	app    child         // from the start on
	pause  time.Duration // until the next look, see soon
	giveUp time.Time     // set when devguard or the warden was found dead
}

// child is the app.
type child struct {
	pid      int       // and its group
	terminal *terminal // nil unless it is to have it
	job      job
}

type request struct {
	command
	files []*os.File
}

func runGuardian() {
	childEnded := make(chan os.Signal, 1)
	signal.Notify(childEnded, unix.SIGCHLD)
	conn, err := net.FileConn(os.NewFile(socketFD, "devguard"))
	if err != nil {
		return
	}
	unix.Close(socketFD)
	g := &guard{conn: conn.(*net.UnixConn)}
	requests := make(chan request)
	go g.read(requests)
	lost := wardenDeath()
	for !g.finished() {
		select {
		case r, ok := <-requests:
			if !ok {
				requests = nil
				g.orphan()
			} else if !g.do(r) {
				return
			}
		case <-lost:
			lost = nil
			g.orphan()
		case <-childEnded:
		case <-g.soon():
		}
	}
	g.say(event{Op: opGone})
}

// read passes on what devguard says, until devguard's end of the socket is closed. Nobody
// stops it: it ends with the guardian's process.
func (g *guard) read(requests chan<- request) {
	defer close(requests)
	for {
		c, files, err := receive(g.conn)
		if err != nil {
			return
		}
		requests <- request{c, files}
	}
}

func (g *guard) say(ev event) {
	msg, err := frame(ev)
	if err == nil {
		_, _ = g.conn.Write(msg) // devguard is gone: read has noticed it
	}
}

// sayWith sends a descriptor along, unless it is negative. Only devguard keeps it: when
// that dies, a call that waits for it fails, and the tree is killed.
func (g *guard) sayWith(ev event, fd int) {
	if fd < 0 {
		g.say(ev)
		return
	}
	if msg, err := frame(ev); err == nil {
		_ = sendRights(g.conn, msg, fd) // as for say
	}
	unix.Close(fd)
}

// orphan kills everything: nobody is left who could ask for anything else.
func (g *guard) orphan() {
	g.phase = g.phase.kill()
	if g.giveUp.IsZero() {
		g.giveUp = time.Now().Add(orphanLimit)
	}
}

// do reports whether there is more to do.
func (g *guard) do(r request) bool {
	switch r.Op {
	case opStart:
		return g.start(r.Start, r.files)
	case opSignal:
		g.signal(r.Signal)
	case opStop:
		g.phase = g.phase.stop()
		g.signal(r.Signal)
		g.signal(int(unix.SIGCONT)) // a stopped app could not obey
	case opKill:
		g.phase = g.phase.kill()
	case opSuspend:
		g.suspend()
	case opContinue:
		g.goOn()
	}
	return true
}

// signal is safe from a reused pid: only this goroutine reaps.
func (g *guard) signal(sig int) {
	if g.phase.appRuns() {
		_ = unix.Kill(-g.app.pid, syscall.Signal(sig)) // EPERM: the app gave up our user; SIGKILL will tell
	}
}

func (g *guard) start(s *startSpec, files []*os.File) bool {
	if g.phase != idle || s == nil || len(files) != 3 {
		return true
	}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	var terminal *terminal
	if s.Foreground {
		terminal = newTerminal(files[0], s.Group)
		terminal.save()
	}
	if s.Filter {
		g.filter(s)
	}
	pid, err := syscall.ForkExec(string(s.Path), toStrings(s.Argv), &syscall.ProcAttr{
		Dir: string(s.Dir), Env: toStrings(s.Env), Files: fds, Sys: appAttr(),
	})
	if err == nil {
		g.phase, g.app = serving, child{pid: pid, terminal: terminal}
		g.lendTerminal()
	}
	// Copies kept here would keep the reader of devguard's output from seeing
	// its end.
	for _, f := range files {
		if err != nil || terminal == nil || f != terminal.tty {
			f.Close()
		}
	}
	if err != nil {
		g.say(failed(err))
		return false
	}
	g.say(event{Op: opStarted, PID: pid, Guardian: os.Getpid()})
	return true
}

// filter installs the filter and gives devguard its notifications, before the app is started: that may
// be asked about itself.
func (g *guard) filter(s *startSpec) {
	ev := event{Op: opFiltered}
	fd, asksExec, err := installFilter(string(s.Path), toStrings(s.Argv)[1:])
	if ev.AsksExec = asksExec; err != nil {
		ev.NoFilter = err.Error()
	}
	g.sayWith(ev, fd)
}

func failed(err error) event {
	ev := event{Op: opFailed, Text: err.Error()}
	if errno, ok := err.(syscall.Errno); ok {
		ev.Errno = int(errno)
	}
	return ev
}

// lendTerminal makes the app's group the foreground group. The app runs
// already and may have been stopped for reading too early: SIGCONT resumes it.
// (Doing it in the forked child would need SIGTTOU ignored or blocked there, and
// the app would inherit that.)
func (g *guard) lendTerminal() {
	if g.app.terminal != nil {
		g.app.terminal.lend(g.app.pid)
		g.signal(int(unix.SIGCONT))
	}
}

// soon is when to look again without having been told: processes that are not
// our children tell nobody when they exit or fork. Less and less often, for one
// that cannot be killed may stay for hours.
func (g *guard) soon() <-chan time.Time {
	if g.phase != lingering && !g.phase.kills() {
		return nil
	}
	g.pause = min(max(2*g.pause, time.Millisecond), 50*time.Millisecond)
	return time.After(g.pause)
}

// finished takes the next step and reports whether there is nothing left to do,
// or nothing that can be done.
func (g *guard) finished() bool {
	if g.phase == idle || g.phase == over {
		return g.phase == over
	}
	childless := g.reap()
	if g.phase == lingering && !groupAlive(g.app.pid) {
		g.phase = sweeping
	}
	if g.phase.kills() && !childless {
		killTree(g.app.pid, g.phase.appRuns())
		childless = g.reap()
	}
	if g.phase == sweeping && treeGone(childless, g.app.pid) {
		g.app.terminal.takeBack(g.app.pid)
		g.phase = over
		return true
	}
	return !g.giveUp.IsZero() && time.Now().After(g.giveUp)
}

// reap takes every status there is and reports whether no child is left. Stops and continuations
// of the app are seen by the way.
func (g *guard) reap() (childless bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return true // ECHILD
		case pid == 0:
			return false
		case pid != g.app.pid || !g.phase.appRuns():
		case ws.Exited() || ws.Signaled():
			g.exited(ws)
		default:
			g.seen(ws)
		}
	}
}

func (g *guard) exited(ws unix.WaitStatus) {
	g.phase = g.phase.reaped()
	g.app.terminal.takeBack(g.app.pid)
	ev := event{Op: opExited, Code: ws.ExitStatus()}
	if ws.Signaled() {
		ev.Signal = int(ws.Signal())
	}
	g.say(ev)
}

// groupAlive counts zombies: one is soon reaped, here or by a parent that is alive itself.
func groupAlive(group int) bool { return unix.Kill(-group, 0) != unix.ESRCH }
