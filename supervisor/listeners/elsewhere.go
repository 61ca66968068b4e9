//go:build !linux

package listeners

import (
	"net/netip"
	"os"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/seccomp"
)

// Keeper returns false: nothing is kept on this system.
func Keeper() bool { return false }

// Holder holds nothing on this system.
type Holder struct{}

// New returns a Holder that holds nothing.
func New(func(logline.Line)) *Holder { return new(Holder) }

// Wanted reports false.
func (*Holder) Wanted() bool { return false }

// Listens returns nil: nobody has a filter.
func (*Holder) Listens() <-chan struct{} { return nil }

// Status says that nothing is held.
func (*Holder) Status() Status { return Status{Off: seccomp.ErrUnsupported.Error()} }

// Untaken reports false: nothing is held.
func (*Holder) Untaken(netip.AddrPort) bool { return false }

// Holds reports false: nothing is held.
func (*Holder) Holds(int) bool { return false }

// Started is not called: nobody has a filter.
func (*Holder) Started(_ int, filter *os.File, _ error, _ func() []int) {
	if filter != nil {
		filter.Close()
	}
}

// Debugger does nothing.
func (*Holder) Debugger(uint16) {}

// Program does nothing.
func (*Holder) Program(string) {}

// StandIn does nothing.
func (*Holder) StandIn(Deputy) {}

// Unfiltered does nothing.
func (*Holder) Unfiltered() {}

// Ready does nothing.
func (*Holder) Ready(int) {}

// NotReady does nothing.
func (*Holder) NotReady(int) {}

// Exited does nothing.
func (*Holder) Exited(int) {}

// Stopping does nothing.
func (*Holder) Stopping(int) {}

// Ends does nothing.
func (*Holder) Ends() {}

// Ended does nothing.
func (*Holder) Ended(int) {}

// Idle does nothing.
func (*Holder) Idle(string, int) {}

// Close does nothing.
func (*Holder) Close() {}
