package delve

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// Server is a dlv that was started with Arguments.
type Server struct {
	Address string // where it listens
	Program string // the app's file, without symbolic links
	PID     int

	Pids  func() []int    // the live processes of its tree, parents first
	Ended <-chan struct{} // closed when dlv has ended

	Say func(logline.Line) // what people should know; called from one goroutine
}

// App is the app below a dlv. Its methods may be called from several goroutines.
type App struct {
	server Server
	found  chan struct{} // closed when its process was found, or never will be
	done   chan struct{} // closed when it has ended

	process atomic.Pointer[osproc.Process] // nil before it was found
	since   atomic.Pointer[time.Time]      // see RunsSince; nil while it does not run
	exit    Exit                           // written before done is closed
	known   bool                           // likewise
}

// Exit is how an app ended.
type Exit struct {
	Code   int    // exit code, -1 when a signal ended it
	Signal string // "SIGKILL", or ""
}

// Follow finds the app below a dlv that was just started, and follows it until its end.
func Follow(s Server) *App {
	a := &App{server: s, found: make(chan struct{}), done: make(chan struct{})}
	go a.run()
	return a
}

// Done is closed when the app has ended.
func (a *App) Done() <-chan struct{} { return a.done }

// PID waits until the app's process is there and returns its pid; not ok when dlv has ended without,
// or ctx does before.
func (a *App) PID(ctx context.Context) (pid int, ok bool) {
	select {
	case <-a.found:
	case <-ctx.Done():
	}
	if p := a.process.Load(); p != nil {
		return p.PID, true
	}
	return 0, false
}

// Exit waits for Done and is how the app ended; not known when dlv has not run it, or has ended too.
func (a *App) Exit() (exit Exit, known bool) {
	<-a.done
	return a.exit, a.known
}

// RunsSince is since when no debugger has stopped the app; false while one has, and before dlv runs it.
func (a *App) RunsSince() (time.Time, bool) {
	if since := a.since.Load(); since != nil {
		return *since, true
	}
	return time.Time{}, false
}

// Signal sends a signal to the app's group, if it runs.
func (a *App) Signal(sig syscall.Signal) {
	if p := a.process.Load(); p != nil {
		p.SignalGroup(sig)
	}
}

// Stop sends the signal to the app's group, has the app go on if it stands at a breakpoint, and waits
// until the group is gone; false when it was not by the end of ctx.
func (a *App) Stop(ctx context.Context, sig syscall.Signal) bool {
	p := a.process.Load()
	if p == nil {
		return true // dlv has not run it yet
	}
	p.SignalGroup(sig) // and no SIGCONT: it would take from dlv the SIGSTOP that it stops threads by
	releasing, cancel := context.WithCancel(ctx)
	var released sync.WaitGroup
	defer released.Wait()
	defer cancel()
	released.Go(func() { a.release(releasing) })
	select {
	case <-a.done:
		return emptied(ctx, p.PID)
	case <-ctx.Done():
		return false
	}
}

// release has an app go on that a debugger has stopped, without its breakpoints. It returns when that
// runs by itself, stops again or has exited.
func (a *App) release(ctx context.Context) {
	for ctx.Err() == nil {
		st, err := a.server.state(ctx, now)
		var exited *exitedError
		switch {
		case err == nil && !st.Running:
			_ = a.server.clear(ctx) // one that stays may stop it again, until grace
			a.server.resume(ctx)
			return
		case err == nil, errors.As(err, &exited):
			return
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
		}
	}
}

// emptied waits until a group has no process; false when it has one at the end of ctx.
func emptied(ctx context.Context, group int) bool {
	for pause := time.Millisecond; osproc.GroupAlive(group); pause = min(2*pause, lookAgain) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// lookAgain is how often we look at most for what nobody tells us.
const lookAgain = 50 * time.Millisecond

// run follows the app until its end. A client may have had dlv run it again.
func (a *App) run() {
	defer close(a.done)
	found := sync.OnceFunc(func() { close(a.found) })
	defer found()
	ctx, cancel := context.WithCancel(context.Background())
	var attending sync.WaitGroup
	defer attending.Wait()
	defer cancel()
	for {
		p, ok := a.find()
		if !ok {
			return
		}
		if a.process.Swap(&p) == nil {
			attending.Go(func() { a.attend(ctx) })
		}
		found()
		p.AwaitEnd()
		again := false
		if a.exit, a.known, again = a.ended(); !again {
			return
		}
	}
}

// find looks for the app's process until it is there; false when dlv has ended.
func (a *App) find() (osproc.Process, bool) {
	before := a.process.Load()
	for pause := time.Millisecond; ; pause = min(pause+time.Millisecond, lookAgain) {
		for _, pid := range a.server.Pids() {
			if pid == a.server.PID || osproc.Program(pid) != a.server.Program {
				continue
			}
			if p, ok := osproc.Look(pid); ok && (before == nil || *before != p) {
				return p, true
			}
		}
		select {
		case <-a.server.Ended:
			return osproc.Process{}, false
		case <-time.After(pause):
		}
	}
}

// ended asks dlv how the app ended, or whether it has started it again.
func (a *App) ended() (exit Exit, known, again bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := a.server.state(ctx, stopped)
	var exited *exitedError
	switch {
	case err == nil:
		return Exit{}, false, true
	case !errors.As(err, &exited):
		return Exit{}, false, false
	case exited.status < 0:
		return Exit{Code: -1, Signal: osproc.SignalName(syscall.Signal(-exited.status))}, true, false
	}
	return Exit{Code: exited.status}, true, false
}
