package dbguard

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cut says where a connection breaks: after so many bytes of one direction have been
// passed on.
type cut struct {
	fromServer bool
	after      int
	reset      bool // both ends get a reset, not an end of file
}

// faulty is a relay before a server that breaks connections.
type faulty struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	plan  []cut // for connections to come, and the one that is open when it is made
	links map[*link]bool
	cuts  int
}

// link is one client's connection through the relay; faulty.mu guards what is below
// the line.
type link struct {
	relay          *faulty
	client, server net.Conn

	cut    *cut
	passed [2]int // by the client, by the server, since the cut was planned
}

func newFaulty(t testing.TB, server string) *faulty {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{listener: l, server: server, links: map[*link]bool{}}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for link := range f.links {
			link.end(false)
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

// url returns a URL of the server's that leads through the relay.
func (f *faulty) url(t testing.TB, serverURL string) string {
	u, err := url.Parse(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = f.listener.Addr().String()
	return u.String()
}

// arm plans cuts: the first for the session that is open, the others for those to
// come, one each. It returns what the last plan left unused.
func (f *faulty) arm(plan []cut) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
	for l := range f.links {
		l.cut, l.passed = nil, [2]int{}
		f.take(l)
	}
}

// take gives a link the next cut of the plan.
func (f *faulty) take(l *link) {
	if len(f.plan) > 0 {
		l.cut, f.plan = &f.plan[0], f.plan[1:]
	}
}

// passed returns what the only open session has passed since arm.
func (f *faulty) passed() [2]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.links {
		return l.passed
	}
	return [2]int{}
}

func (f *faulty) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() { f.serve(client) })
	}
}

func (f *faulty) serve(client net.Conn) {
	defer client.Close()
	// The first packet goes on in one piece: PgBouncer 1.18 refuses a part of one.
	first := make([]byte, 16<<10)
	n, err := io.ReadAtLeast(client, first, 8)
	if err != nil {
		return
	}
	first = first[:n]
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer server.Close()
	l := &link{relay: f, client: client, server: server}
	if binary.BigEndian.Uint32(first[4:8]) != 80877102 { // a CancelRequest is never cut
		f.mu.Lock()
		f.links[l] = true
		f.take(l)
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			delete(f.links, l)
			f.mu.Unlock()
		}()
	}
	var wg sync.WaitGroup
	wg.Go(func() { l.pump(1) })
	if l.pass(server, first, 0) {
		l.pump(0)
	}
	wg.Wait()
}

// pump passes on what comes from one side until it ends or the link is cut.
func (l *link) pump(direction int) {
	from, to := l.client, l.server
	if direction == 1 {
		from, to = l.server, l.client
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if !l.pass(to, buf[:n], direction) {
			return
		}
		if err != nil {
			l.relay.mu.Lock()
			l.end(false)
			l.relay.mu.Unlock()
			return
		}
	}
}

// pass passes bytes on as far as the cut allows; false when it came.
func (l *link) pass(to net.Conn, b []byte, direction int) bool {
	l.relay.mu.Lock()
	defer l.relay.mu.Unlock()
	for len(b) > 0 || l.due(direction) {
		if l.due(direction) {
			l.relay.cuts++
			l.end(l.cut.reset)
			return false
		}
		n := len(b)
		if l.cut != nil && l.cut.fromServer == (direction == 1) {
			n = min(n, l.cut.after-l.passed[direction])
		}
		l.passed[direction] += n
		if _, err := to.Write(b[:n]); err != nil {
			l.end(false)
			return false
		}
		b = b[n:]
	}
	return true
}

// due reports whether the cut of a direction is to be made now.
func (l *link) due(direction int) bool {
	return l.cut != nil && l.cut.fromServer == (direction == 1) && l.passed[direction] >= l.cut.after
}

func (l *link) end(reset bool) {
	for _, c := range []net.Conn{l.client, l.server} {
		if tcp, ok := c.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}
