//go:build unix

package front

import (
	"strings"
	"syscall"
	"testing"
)

// TestProcessStopped: one that answers no call is ended, and another comes; devguard goes on.
func TestProcessStopped(t *testing.T) {
	t.Parallel()
	lost := make(chan error, 10)
	p, err := Start(Options{Listen: "127.0.0.1:0", Hold: limit}, func(err error) { lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	stop(t, p)
	returns(t, "Idle", func() { p.Idle("nothing is done") })
	if err := <-lost; !strings.Contains(err.Error(), "not answered") {
		t.Error(err)
	}
	eventually(t, "http://"+p.Addr(), "nothing is done")
	stop(t, p)
	returns(t, "Close", p.Close)
}

// stop has the process do nothing.
func stop(t *testing.T, p *Process) {
	t.Helper()
	if err := p.current().cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}
