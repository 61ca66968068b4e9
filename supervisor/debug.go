package supervisor

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/delve"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/proc"
)

// sayDebugger says where a debugger finds the app.
func sayDebugger(log *slog.Logger, listen string) {
	logline.Note(false, "debuggers attach to "+listen+", also after a restart", "").To(log)
	host, _, _ := net.SplitHostPort(listen)
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		logline.Note(true, "whoever reaches "+listen+" can run code as you: Delve asks for no password",
			"an address of this machine alone, like 127.0.0.1:2345, is served to your own user only").To(log)
	}
}

// follow follows the app below the dlv that a generation was started as.
func (s *Supervisor) follow(g *generation, program string) *delve.App {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return delve.Follow(delve.Server{
		Address: g.cfg.Debug.Listen, Program: program, PID: g.tree.PID(), Pids: g.tree.Pids, Ended: g.tree.Done(),
		Say: func(l logline.Line) { l.To(s.Log) },
	})
}

// debugPort is where dlv listens, 0 when there is none.
func (g *generation) debugPort() int {
	if !g.cfg.Debug.On {
		return 0
	}
	_, text, _ := net.SplitHostPort(g.cfg.Debug.Listen)
	port, _ := strconv.Atoi(text) // package config has seen to it
	return port
}

// pid is the app's main process; below a debugger that has to come first.
func (g *generation) pid(ctx context.Context) int {
	if g.debug != nil {
		if pid, ok := g.debug.PID(ctx); ok {
			return pid
		}
	}
	return g.tree.PID()
}

// own are the app's processes of those of its tree: without the debugger, which listens too.
func (g *generation) own(pids []int) []int {
	if g.debug == nil {
		return pids
	}
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return pid == g.tree.PID() })
}

// ended is closed when the app's main process has ended.
func (g *generation) ended() <-chan struct{} {
	if g.debug != nil {
		return g.debug.Done()
	}
	return g.tree.Done()
}

// exit waits for that and is how it ended; how dlv ended, if that is all that is known. Of an app that
// was killed with it dlv may tell anything.
func (g *generation) exit() proc.Exit {
	if g.debug == nil {
		return g.tree.Exit()
	}
	exit, known := g.debug.Exit()
	switch {
	case g.killed.Load():
		return proc.Exit{Code: -1, Signal: osproc.SignalName(syscall.SIGKILL)}
	case known:
		return proc.Exit{Code: exit.Code, Signal: exit.Signal}
	}
	select {
	case <-g.tree.Done(): // a kill ends dlv first
		return g.tree.Exit()
	case <-time.After(debuggerGrace):
		return proc.Exit{Code: -1, Lost: true}
	}
}

// quit asks the app for its goroutines.
func (g *generation) quit() {
	if g.debug != nil {
		g.debug.Signal(syscall.SIGQUIT)
		return
	}
	_ = g.tree.Signal(syscall.SIGQUIT) // it may have exited
}

// debuggerGrace is what a debugger gets for its own end: that takes it some milliseconds.
const debuggerGrace = time.Second

// stop ends the process tree. Below a debugger the app is asked first, which could not end in order
// otherwise: dlv kills it.
func (g *generation) stop(ctx context.Context, spec proc.StopSpec) proc.StopResult {
	if g.debug == nil {
		return g.tree.Stop(ctx, spec)
	}
	spec.Note(g.tree.Pids())
	began := time.Now()
	grace, cancel := context.WithTimeout(ctx, spec.Grace)
	defer cancel()
	last := proc.StopSpec{Signal: syscall.SIGINT, Grace: debuggerGrace, Note: spec.Note}
	killed := !g.debug.Stop(grace, spec.Signal)
	if killed {
		g.killed.Store(!g.exited()) // else it is others of its group that are left
		last.Signal, last.Grace = syscall.SIGKILL, 0
	}
	res := g.tree.Stop(ctx, last)
	res.Killed, res.Took = killed, time.Since(began)
	return res
}
