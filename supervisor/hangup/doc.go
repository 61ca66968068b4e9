// Package hangup ends the client connections of an app that is being stopped, and that the app has
// answered already: event streams, websockets, connections that a browser keeps or has opened ahead.
// A graceful shutdown waits for these, mostly until its grace is over.
//
// Only connections that were accepted at the app's own listening addresses are looked at; those that
// it has opened itself (to its database, to other services) never, not even at their other end, where that
// is in its own tree. A request that has not been answered is left alone until grace, by the rule of
// Traffic.Ends, which has only the kernel's counters to go by. HTTP/2 cannot be decided that way: see the
// function HTTP2.
//
// A connection is ended with shutdown(2) on a copy of its descriptor: for the app its client has gone.
//
// Linux 5.6; elsewhere nothing is ended.
package hangup

import (
	"net/netip"
	"time"
)

// App is what is being stopped.
type App struct {
	// Pids returns the processes of its tree.
	Pids func() []int
	// At is where it listened when it was asked to stop.
	At []netip.AddrPort
	// After is how long after Run began connections are first ended.
	After time.Duration
}

// Server is where the app may answer by HTTP/2.
type Server struct {
	Addr netip.AddrPort
	By   string // what of the app may do so, as its developer knows it
}

const (
	// again is how often they are looked at, after the first time. No part of 50 ms: a client that talks so often
	// would else be in the middle of it each time.
	again = 17 * time.Millisecond

	// asked is how long it may take after Run began until the app has its signal. A guess.
	asked = 10 * time.Millisecond

	settle      = 50 * time.Millisecond // how long Settle waits at most: it delays the restart
	settleAgain = time.Millisecond

	// taken is how long a request must have been read before it counts as taken: net/http looks
	// whether it is to stop once more, some microseconds of processor time after it has read one. A guess.
	taken = 4 * time.Millisecond
)

// has reports whether a connection with that local address was accepted there.
func (a App) has(local netip.AddrPort) bool {
	for _, at := range a.At {
		if at.Port() == local.Port() && (at.Addr().IsUnspecified() || at.Addr().Unmap() == local.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// Learned is what was found out of a generation ahead of its stop, which would wait for it: to read a
// program and to ask the app take milliseconds each. The zero value is nothing, and none is changed.
type Learned struct {
	programs map[program]string      // that its processes execute: which server each has in it
	speaks   map[netip.AddrPort]bool // whether it speaks HTTP/2 there, of addresses that have answered
}

// program is a file that nobody has written since.
type program struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // ns since 1970
}
