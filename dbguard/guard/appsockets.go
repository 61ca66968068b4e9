package guard

import (
	"slices"
	"sync"

	"github.com/devguard/devguard/dbguard/sockets"
)

// appSockets are the sockets that the app's processes held when their generation
// was told to stop. The zero value is ready.
type appSockets struct {
	mu    sync.Mutex
	byGen map[int][]sockets.Conn // never an empty list
}

// add remembers sockets of a generation, and returns all that it has.
func (a *appSockets) add(gen int, conns []sockets.Conn) []sockets.Conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byGen == nil {
		a.byGen = map[int][]sockets.Conn{}
	}
	for _, c := range conns {
		if !slices.Contains(a.byGen[gen], c) {
			a.byGen[gen] = append(a.byGen[gen], c)
		}
	}
	return slices.Clone(a.byGen[gen])
}

// known reports whether sockets of the generation were seen, which is from when it
// was told to stop until it is forgotten.
func (a *appSockets) known(gen int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byGen[gen]) > 0
}

// until returns the sockets of generations up to gen.
func (a *appSockets) until(gen int) (conns []sockets.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, list := range a.byGen {
		if n <= gen {
			conns = append(conns, list...)
		}
	}
	return conns
}

// forget drops the sockets of generations up to gen.
func (a *appSockets) forget(gen int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n := range a.byGen {
		if n <= gen {
			delete(a.byGen, n)
		}
	}
}
