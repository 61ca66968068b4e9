package front

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// Process is a Front in a process of its own: what stands in package scripts, `fuser -k 8080/tcp` or
// `kill-port 3000`, kills whoever has the port, and costs the connections that there are. It is
// started again then, and told what it has to know. Its methods are those of Front, and may be called
// from several goroutines.
type Process struct {
	lost func(error)   // told when it was killed, or cannot be started again
	quit chan struct{} // closed by Close
	done chan struct{} // closed when nobody looks after it any more

	mu    sync.Mutex
	child *child
	again chan struct{} // closed, and made anew, when it was tried to start another child

	// What another is told. options has the address that was had first.
	options  Options
	homes    homes
	journal  []telling // of the newest generation, in order
	problems []Problem
}

// telling is a call that has no answer.
type telling struct {
	method string
	arg    any
}

// Start starts a Front. lost is told, from another goroutine, when it was killed.
func Start(o Options, lost func(error)) (*Process, error) {
	p := &Process{options: o, lost: lost, homes: homes{}, quit: make(chan struct{}), done: make(chan struct{}), again: make(chan struct{})}
	if err := p.start(openWithin); err != nil {
		return nil, err
	}
	go p.look()
	return p, nil
}

// start starts a child, and tells it everything. It needs the lock, or nobody else.
func (p *Process) start(within time.Duration) error {
	c, err := startChild()
	if err != nil {
		return fmt.Errorf("start the process of the front: %w", err)
	}
	addr, err := c.open(p.options, within)
	if err == nil {
		err = p.tellAll(c)
	}
	if err != nil {
		c.end()
		return err
	}
	p.child = c
	if p.options.Listen != "" {
		p.options.Listen = addr
	}
	return nil
}

// tellAll tells a child that is open what those before it were told. It returns at the first failure.
func (p *Process) tellAll(c *child) error {
	if err := p.retakeAll(c); err != nil {
		return err
	}
	all := slices.Clone(p.journal)
	if p.problems != nil {
		all = append(all, telling{"Show", p.problems})
	}
	for _, t := range all {
		if err := c.tell(t.method, t.arg); err != nil {
			return err
		}
	}
	return nil
}

// retakeAll has a child answer where the app has other addresses. One that somebody else has by now is
// given up: the app's next bind asks for it again.
func (p *Process) retakeAll(c *child) error {
	for at, app := range p.homes {
		err := c.tell("Retake", [2]netip.AddrPort{at, app})
		switch {
		case err == nil:
		case answered(err):
			delete(p.homes, at)
			p.lost(fmt.Errorf("clients do not reach the app at %v until it is restarted: %w", at, err))
		default:
			return err
		}
	}
	return nil
}

// A child that lived for less than pause is gone for so long, and one that cannot be started for twice
// as long each time, up to maxPause.
const pause, maxPause = 200 * time.Millisecond, 10 * time.Second

// look starts another child whenever one is gone.
func (p *Process) look() {
	defer close(p.done)
	for began := time.Now(); ; began = time.Now() {
		select {
		case <-p.child.gone: // p.child is written by this goroutine alone
		case <-p.quit:
			return
		}
		p.lost(fmt.Errorf("the process of the front %s, and is started again: connections by way of it are lost", p.child.fate()))
		for wait := pause - time.Since(began); !p.restarted(wait); wait = min(max(2*wait, pause), maxPause) {
			select {
			case <-p.quit:
				return
			default:
			}
		}
	}
}

// restarted waits, and reports whether another child could be started.
func (p *Process) restarted(wait time.Duration) bool {
	select {
	case <-time.After(wait):
	case <-p.quit:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.start(answerWithin)
	close(p.again)
	p.again = make(chan struct{})
	if err != nil {
		p.lost(err)
	}
	return err == nil
}

// Close ends it.
func (p *Process) Close() {
	close(p.quit)
	<-p.done
	_ = p.child.tell("Close", 0)
	p.child.end()
}

// Addr is the address of Options.Listen.
func (p *Process) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.options.Listen
}

// tell tells the child something that another will have to know, too.
func (p *Process) tell(method string, arg any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if method == "Started" {
		p.journal = nil // of a generation before
	}
	if why := []string{"Idle", "Crashed"}; slices.Contains(why, method) { // the last one counts
		p.journal = slices.DeleteFunc(p.journal, func(t telling) bool { return slices.Contains(why, t.method) })
	}
	p.journal = append(p.journal, telling{method, arg})
	_ = p.child.tell(method, arg) // of one that is gone the next is told
}

// Started is that of Front.
func (p *Process) Started(gen int, at ...string) {
	p.tell("Started", struct {
		Gen int
		At  []string
	}{gen, at})
}

// Ready is that of Front.
func (p *Process) Ready(gen int) { p.tell("Ready", gen) }

// NotReady is that of Front.
func (p *Process) NotReady(gen int, reason string) {
	p.tell("NotReady", struct {
		Gen    int
		Reason string
	}{gen, reason})
}

// Exited is that of Front.
func (p *Process) Exited(gen int) { p.tell("Exited", gen) }

// Stopping is that of Front.
func (p *Process) Stopping(gen int) { p.tell("Stopping", gen) }

// Ended is that of Front.
func (p *Process) Ended(gen int) { p.tell("Ended", gen) }

// Idle is that of Front.
func (p *Process) Idle(reason string) { p.tell("Idle", reason) }

// Crashed is that of Front.
func (p *Process) Crashed(reason string, inARow int) {
	p.tell("Crashed", struct {
		Reason string
		InARow int
	}{reason, inARow})
}

// Closing is that of Front.
func (p *Process) Closing() { p.tell("Closing", 0) }

// Show is that of Front.
func (p *Process) Show(problems []Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = problems
	_ = p.child.tell("Show", problems)
}

// Reload is that of Front. Pages of another child reload in any case.
func (p *Process) Reload() { _ = p.current().tell("Refresh", false) }

// Restyle is that of Front.
func (p *Process) Restyle() { _ = p.current().tell("Refresh", true) }

// Settle is that of Front. Of a child that was killed nothing is owed.
func (p *Process) Settle(ctx context.Context, gen int) {
	c := p.current()
	settled := c.client.Go("Front.Settle", gen, new(int), make(chan *rpc.Call, 1)).Done
	select {
	case <-settled:
	case <-ctx.Done():
		_ = c.tell("Hurry", gen)
		defer c.limit(answerWithin)()
		<-settled
	}
}

// EndStreams is that of Front.
func (p *Process) EndStreams(gen int) (ended int) {
	_ = p.current().call("EndStreams", gen, &ended)
	return ended
}

// errV6Only says that there is no other address for a socket that has IPv6 alone, or one link:
// loopback has one.
var errV6Only = errors.New("a socket of IPv6 alone has no other address of loopback")

// Take is that of Front, with the socket's IPV6_V6ONLY. When the child is gone it waits for the first
// try to start another, and no longer than answerWithin: nobody else is asked meanwhile who binds.
func (p *Process) Take(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error) {
	if addr.Addr().Is6() && (v6only || addr.Addr().Zone() != "") {
		return netip.AddrPort{}, errV6Only
	}
	again, err := p.take(addr, &instead)
	if err == nil || answered(err) {
		return instead, err
	}
	select {
	case <-again:
		_, err = p.take(addr, &instead)
	case <-time.After(answerWithin):
	case <-p.quit:
	}
	return instead, err
}

// answered reports whether an error is the answer of a child, and not that it is gone.
func answered(err error) bool { return errors.As(err, new(rpc.ServerError)) }

func (p *Process) take(addr netip.AddrPort, instead *netip.AddrPort) (again <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err = p.child.call("Take", addr, instead); err == nil {
		p.homes[addr] = *instead
	}
	return p.again, err
}

// Keep is that of Front.
func (p *Process) Keep(addrs []netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr := range p.homes {
		if !slices.Contains(addrs, addr) {
			delete(p.homes, addr)
		}
	}
	_ = p.child.tell("Keep", addrs)
}

// Answers reports whether there is an address that was taken.
func (p *Process) Answers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.homes) > 0
}

// Behind returns where the app listens that wanted to listen at an address of this machine, host:port;
// of any other it returns the same.
func (p *Process) Behind(addr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.homes.behindHost(addr)
}

// Seen returns by which address clients know the one that the app listens on; the same when they come
// to that.
func (p *Process) Seen(app netip.AddrPort) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.homes.before(app)
}

func (p *Process) current() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

// child is one process.
type child struct {
	cmd    *exec.Cmd
	client *rpc.Client
	gone   chan struct{} // closed when it has ended
	stuck  atomic.Bool   // it was ended because it did not answer
}

// startChild starts this program again.
func startChild() (*child, error) {
	program, err := osproc.Self()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: &exec.Cmd{Path: program, Args: []string{processName, processFlag}, Stderr: os.Stderr, SysProcAttr: apart}, gone: make(chan struct{})}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := osproc.StartApart(c.cmd); err != nil {
		return nil, err
	}
	c.client = rpc.NewClient(pipes{out, in})
	go func() {
		defer close(c.gone)
		_ = c.cmd.Wait() // how it ended does not matter
	}()
	return c, nil
}

// open is called first, and once.
func (c *child) open(o Options, within time.Duration) (addr string, err error) {
	defer c.limit(within)()
	err = c.client.Call("Opening.Open", o, &addr)
	return addr, err
}

// How long a child may take for an answer: a call but Settle takes next to no time, and whoever calls does
// nothing else meanwhile, so that a child that is stopped (SIGSTOP) or stuck would stop devguard. The very
// first may have to be read from a slow disk.
const answerWithin, openWithin = 2 * time.Second, 10 * time.Second

// limit ends the child after some time, and with that every call, unless stop is called before.
func (c *child) limit(within time.Duration) (stop func()) {
	timer := time.AfterFunc(within, func() {
		c.stuck.Store(true)
		_ = c.cmd.Process.Kill()
	})
	return func() { timer.Stop() }
}

// fate says of a child that is gone why.
func (c *child) fate() string {
	if c.stuck.Load() {
		return fmt.Sprintf("has not answered for %v", answerWithin)
	}
	return "was killed"
}

func (c *child) call(method string, arg, answer any) error {
	defer c.limit(answerWithin)()
	return c.client.Call("Front."+method, arg, answer)
}

func (c *child) tell(method string, arg any) error { return c.call(method, arg, new(int)) }

// end ends it, and waits for that: it has no more to do than to close what it has.
func (c *child) end() {
	_ = c.client.Close()
	timer := time.AfterFunc(last, func() { _ = c.cmd.Process.Kill() })
	<-c.gone
	timer.Stop()
}
