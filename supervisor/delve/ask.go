package delve

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/rpc/jsonrpc"
	"time"
)

// patience is how long dlv may take for an answer that does not wait for the app.
const patience = time.Second

// state is what RPCServer.State says, as far as we look at it (service/api of Delve).
type state struct {
	Running       bool
	CurrentThread *struct {
		Breakpoint *struct {
			Name string `json:"name"`
		} `json:"breakPoint"`
	} `json:"currentThread"`
}

// panicked reports whether the app stands where Delve stops at every panic that nothing recovers, and
// at every error that the runtime throws: two breakpoints that it sets by itself.
func (s state) panicked() bool {
	if s.Running || s.CurrentThread == nil || s.CurrentThread.Breakpoint == nil {
		return false
	}
	name := s.CurrentThread.Breakpoint.Name
	return name == "unrecovered-panic" || name == "runtime-fatal-throw"
}

// wait says whether State is to wait until the app has stopped or exited.
type wait bool

const (
	now     wait = false
	stopped wait = true
)

// state asks how the app is. Of one that has exited that is an *exitedError.
func (s Server) state(ctx context.Context, when wait) (state, error) {
	var out struct{ State state }
	err := s.call(ctx, "State", map[string]bool{"NonBlocking": when == now}, &out)
	return out.State, err
}

// resume has the app go on, and returns when it stops again or has exited, or ctx ends.
func (s Server) resume(ctx context.Context) {
	_ = s.call(ctx, "Command", map[string]string{"name": "continue"}, nil) // then it stays stopped, until grace
}

// clear clears the breakpoints that somebody has set.
func (s Server) clear(ctx context.Context) error {
	var list struct {
		Breakpoints []struct {
			ID int `json:"id"`
		}
	}
	if err := s.call(ctx, "ListBreakpoints", struct{}{}, &list); err != nil {
		return err
	}
	for _, b := range list.Breakpoints {
		if b.ID > 0 { // the others are Delve's own
			if err := s.call(ctx, "ClearBreakpoint", map[string]int{"Id": b.ID}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// exitedError is what dlv answers once the app has exited.
type exitedError struct{ status int }

func (e *exitedError) Error() string {
	return fmt.Sprintf("the app has exited with status %d", e.status)
}

// call asks dlv on a connection of its own: of two requests on one, the first may wait for the app.
func (s Server) call(ctx context.Context, method string, args, reply any) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", reachable(s.Address))
	if err != nil {
		return err
	}
	client := jsonrpc.NewClient(conn)
	defer client.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	err = client.Call("RPCServer."+method, args, reply)
	var pid, status int
	if err != nil {
		if n, _ := fmt.Sscanf(err.Error(), "Process %d has exited with status %d", &pid, &status); n == 2 {
			return &exitedError{status}
		}
	}
	return err
}

// reachable is where this machine reaches what listens at an address: one without a host, or with an
// unspecified one, is every address.
func reachable(address string) string {
	host, port, _ := net.SplitHostPort(address)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.Is6() && !ip.Is4In6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
