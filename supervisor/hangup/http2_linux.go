package hangup

import (
	"bytes"
	"context"
	"crypto/tls"
	"debug/elf"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// handshake bounds how long an app may take to tell whether it speaks HTTP/2: it delays the stop signal.
const handshake = 250 * time.Millisecond

// HTTP2 returns those of the addresses at where the app may answer by HTTP/2. There an answer to one
// request looks like the answer to all of them, and net/http says GOAWAY to whoever waits when it is
// asked to stop. An app that serves gRPC may do so everywhere. One that can serve TLS is asked, by a
// handshake. Only apps of Go are: another server may log what it does not understand. known is what was
// found out before, which counts where there is no answer in time, and is added to.
func HTTP2(pids []int, at []netip.AddrPort, known map[netip.AddrPort]bool) []netip.AddrPort {
	if len(at) == 0 {
		return nil
	}
	switch grpc, tls := serves(pids); {
	case grpc:
		return at
	case !tls:
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshake)
	defer cancel()
	return askAll(ctx, at, known)
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

// serves reports what servers the processes have in them that are programs of Go. The linker leaves out
// what is never called, but with reflection (package text/template).
func serves(pids []int) (grpc, tls bool) {
	for _, pid := range pids {
		program, err := elf.Open("/proc/" + strconv.Itoa(pid) + "/exe")
		if err != nil {
			continue // gone, or no program of ours to look at
		}
		if table := program.Section(".gopclntab"); table != nil { // there in stripped programs, too
			text, _ := table.Data()
			grpc = grpc || names(text, "google.golang.org/grpc.(*Server).Serve")
			tls = tls || names(text, "crypto/tls.Server") // also where it is inlined
		}
		program.Close()
	}
	return grpc, tls
}

// names reports whether a table of strings that end with a zero byte has one. To look for the zero byte
// in front of it as well takes four times as long, and the stop waits: half of the table is zeros.
func names(table []byte, function string) bool {
	end := []byte(function + "\x00")
	for at := 0; ; at++ {
		i := bytes.Index(table[at:], end)
		if i < 0 {
			return false
		}
		if at += i; at > 0 && table[at-1] == 0 {
			return true
		}
	}
}

// ask makes a handshake.
func ask(ctx context.Context, addr netip.AddrPort) answer {
	ip := addr.Addr().Unmap()
	switch {
	case ip == netip.IPv4Unspecified():
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case ip.IsUnspecified():
		ip = netip.IPv6Loopback()
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(ip, addr.Port()).String())
	switch {
	case ctx.Err() != nil:
		return none
	case err != nil:
		return no // nobody listens
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
