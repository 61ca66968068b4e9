package front

import (
	"context"
	"io"
	"net/netip"
	"net/rpc"
	"os"
	"sync"
)

// How the process of a Front knows itself. lsof and ss show its name beside a port; it has at most 15
// bytes.
const (
	processName = "devguard-front"
	processFlag = "--front-process"
)

// Main must be called by main before anything else. In an ordinary process it returns false at once.
// In one that a Process has made it is a Front until devguard is gone, and returns true.
func Main() bool {
	if len(os.Args) != 2 || os.Args[0] != processName || os.Args[1] != processFlag {
		return false
	}
	_ = os.WriteFile("/proc/self/comm", []byte(processName), 0) // Linux; else it shows as "exe"
	answerCalls(pipes{os.Stdin, os.Stdout})
	return true // ends the process, whatever is still being answered
}

// pipes are both directions of a connection.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// answerCalls returns as soon as the other side is gone. Calls that have no answer yet are not waited
// for: a client that does not read would keep us, with the port.
func answerCalls(c pipes) {
	server, gone := rpc.NewServer(), make(chan struct{})
	register(server, "Opening", &unopened{server})
	go server.ServeConn(pipes{&untilGone{Reader: c.Reader, gone: gone}, c.WriteCloser})
	<-gone
}

func register(server *rpc.Server, name string, receiver any) {
	if err := server.RegisterName(name, receiver); err != nil {
		panic("BUG: " + err.Error())
	}
}

// untilGone is read from until that fails, and closes gone then.
type untilGone struct {
	io.Reader
	gone chan struct{}
	once sync.Once
}

// Read returns what the other side says.
func (u *untilGone) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil {
		u.once.Do(func() { close(u.gone) })
	}
	return n, err
}

// unopened makes the Front that the other calls are about. Without it they are answered by an error.
type unopened struct{ server *rpc.Server }

// Open is called first, and once.
func (u *unopened) Open(o Options, addr *string) error {
	f, err := Open(o)
	if err != nil {
		return err
	}
	if o.Listen != "" {
		*addr = f.Addr().String()
	}
	register(u.server, "Front", &service{front: f, hurry: func() {}})
	return nil
}

// service is a Front as it is called by another process, by way of net/rpc.
type service struct {
	front *Front

	mu      sync.Mutex
	hurry   context.CancelFunc // of Settle
	hurried int                // the generation that is waited for no longer
}

// Take is that of Front.
func (s *service) Take(addr netip.AddrPort, instead *netip.AddrPort) (err error) {
	*instead, err = s.front.Take(addr)
	return err
}

// Retake begins to answer at an address for which the app has another already.
func (s *service) Retake(a [2]netip.AddrPort, _ *int) error {
	return s.front.entrances.retake(a[0], a[1])
}

func (s *service) Keep(addrs []netip.AddrPort, _ *int) error {
	s.front.Keep(addrs)
	return nil
}

func (s *service) Started(a struct {
	Gen int
	At  []string
}, _ *int) error {
	s.front.Started(a.Gen, a.At...)
	return nil
}

func (s *service) Ready(gen int, _ *int) error {
	s.front.Ready(gen)
	return nil
}

func (s *service) NotReady(a struct {
	Gen    int
	Reason string
}, _ *int) error {
	s.front.NotReady(a.Gen, a.Reason)
	return nil
}

func (s *service) Exited(gen int, _ *int) error {
	s.front.Exited(gen)
	return nil
}

func (s *service) Stopping(gen int, _ *int) error {
	s.front.Stopping(gen)
	return nil
}

// Settle returns when Front.Settle does, or soon after Hurry.
func (s *service) Settle(gen int, _ *int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	if s.hurry = cancel; s.hurried == gen {
		cancel()
	}
	s.mu.Unlock()
	s.front.Settle(ctx, gen)
	return nil
}

// Hurry ends waiting in Settle, also in one that comes later.
func (s *service) Hurry(gen int, _ *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurried = gen
	s.hurry()
	return nil
}

func (s *service) EndStreams(gen int, ended *int) error {
	*ended = s.front.EndStreams(gen)
	return nil
}

func (s *service) Ended(gen int, _ *int) error {
	s.front.Ended(gen)
	return nil
}

func (s *service) Idle(reason string, _ *int) error {
	s.front.Idle(reason)
	return nil
}

func (s *service) Crashed(a struct {
	Reason string
	InARow int
}, _ *int) error {
	s.front.Crashed(a.Reason, a.InARow)
	return nil
}

func (s *service) Show(problems []Problem, _ *int) error {
	s.front.Show(problems)
	return nil
}

// Refresh has pages reload, or take their stylesheets anew.
func (s *service) Refresh(styles bool, _ *int) error {
	if styles {
		s.front.Restyle()
	} else {
		s.front.Reload()
	}
	return nil
}

func (s *service) Closing(int, *int) error {
	s.front.Closing()
	return nil
}

func (s *service) Close(int, *int) error {
	s.front.Close()
	return nil
}
