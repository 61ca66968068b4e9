package hangup

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/osproc"
)

// How long an app may take to tell whether it speaks HTTP/2: at its stop, whose signal waits for that,
// and ahead, when it may be busy with its start. One that is cut off in a handshake may log that.
const (
	handshake = 250 * time.Millisecond
	unhurried = time.Second
)

// HTTP2 returns those of the addresses at where the app may answer by HTTP/2. There an answer to one
// request looks like the answer to all of them, and net/http says GOAWAY to whoever waits when it is
// asked to stop. A process that has a server of HTTP/2 without TLS may do so wherever it listens. One that
// can serve TLS is asked, by a handshake. Only programs of Go are: another server may log what it does
// not understand. listening returns where processes listen. What is learned already is not asked again;
// the stop signal waits for the rest. known is what was found out of generations before, which counts
// where there is no answer in time, and is added to.
func HTTP2(pids []int, at []netip.AddrPort, listening func(pids []int) []netip.AddrPort, learned Learned, known map[netip.AddrPort]bool) []Server {
	if len(at) == 0 {
		return nil
	}
	by, _ := learned.servers(pids, listening)
	var out []Server
	var ask []netip.AddrPort
	for _, addr := range at {
		speaks, asked := learned.speaks[addr]
		switch by[addr] {
		case "":
		case overTLS:
			if !asked {
				ask = append(ask, addr)
			} else if known[addr] = speaks; speaks {
				out = append(out, Server{addr, overTLS})
			}
		default:
			out = append(out, Server{addr, by[addr]})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshake)
	defer cancel()
	for _, addr := range askAll(ctx, ask, known) {
		out = append(out, Server{addr, overTLS})
	}
	return out
}

// Learn returns what is to be known of an app with these processes, which listens there, before it is
// asked to stop. Programs that were read before are not read again.
func (l Learned) Learn(pids []int, at []netip.AddrPort, listening func(pids []int) []netip.AddrPort) Learned {
	by, programs := l.servers(pids, listening)
	now := Learned{programs: programs, speaks: map[netip.AddrPort]bool{}}
	ctx, cancel := context.WithTimeout(context.Background(), unhurried)
	defer cancel()
	askAll(ctx, slices.DeleteFunc(slices.Clone(at), func(a netip.AddrPort) bool { return by[a] != overTLS }), now.speaks)
	return now
}

// Programs is what is learned of programs alone: the answers are of a generation that is gone.
func (l Learned) Programs() Learned { return Learned{programs: l.programs} }

// servers returns which server of the processes may be behind each address, and the servers of their
// programs, of which only those that are not known are read. One that can also do without TLS counts
// where there are several.
func (l Learned) servers(pids []int, listening func(pids []int) []netip.AddrPort) (by map[netip.AddrPort]string, programs map[program]string) {
	with := map[string][]int{}
	programs = map[program]string{}
	for _, pid := range pids {
		exe, id, ok := programOf(pid)
		if !ok {
			continue
		}
		server, known := programs[id]
		if !known {
			server, known = l.programs[id]
		}
		if !known {
			server = serverOf(exe)
		}
		if programs[id] = server; server != "" {
			with[server] = append(with[server], pid)
		}
	}
	by = map[netip.AddrPort]string{}
	for server, pids := range with {
		for _, addr := range listening(pids) {
			if by[addr] == "" || server != overTLS {
				by[addr] = server
			}
		}
	}
	return by, programs
}

// askAll returns those of the addresses that speak HTTP/2, or may.
func askAll(ctx context.Context, at []netip.AddrPort, known map[netip.AddrPort]bool) []netip.AddrPort {
	answers := make([]answer, len(at))
	var asked sync.WaitGroup
	for i, addr := range at {
		asked.Go(func() { answers[i] = ask(ctx, addr) })
	}
	asked.Wait()
	var out []netip.AddrPort
	for i, addr := range at {
		if answers[i] != none {
			known[addr] = answers[i] == yes
		}
		if speaks, ok := known[addr]; speaks || !ok { // not to know: then it is left alone
			out = append(out, addr)
		}
	}
	return out
}

// answer is whether an address speaks HTTP/2.
type answer int

const (
	none answer = iota // it does not say, or not in time
	no
	yes
)

// dial connects to a listening socket. Without a connection it is no when nobody listens there, and none
// when that is not known.
func dial(ctx context.Context, addr netip.AddrPort) (net.Conn, answer) {
	said := no
	for _, a := range osproc.Reachable(addr) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.String())
		if err == nil {
			return conn, none
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			said = none
		}
	}
	return nil, said
}

// ask makes a handshake.
func ask(ctx context.Context, addr netip.AddrPort) answer {
	conn, said := dial(ctx, addr)
	if conn == nil {
		return said
	}
	defer conn.Close()
	client := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, // nothing is said
		ServerName:         "localhost", NextProtos: []string{"h2", "http/1.1"},
	})
	if err := client.HandshakeContext(ctx); err != nil {
		var refused *net.OpError // an alert: it does speak TLS
		if ctx.Err() != nil || errors.As(err, &refused) && refused.Op == "remote error" {
			return none
		}
		return no
	}
	leave(client, conn)
	if client.ConnectionState().NegotiatedProtocol == "h2" {
		return yes
	}
	return no
}

// leave ends a connection so that the server finds it ended, which it does not log: closed with bytes
// unread, it would be reset.
func leave(client *tls.Conn, conn net.Conn) {
	_ = client.SetDeadline(time.Now().Add(handshake))
	if err := client.CloseWrite(); err != nil {
		return
	}
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, conn)
}
