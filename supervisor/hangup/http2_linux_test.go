package hangup

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestHTTP2: which servers are left alone.
func TestHTTP2(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	server := func(start func(*httptest.Server)) netip.AddrPort {
		srv := httptest.NewUnstartedServer(ok)
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		start(srv)
		t.Cleanup(srv.Close)
		return addrOf(srv.Listener)
	}
	raw := func(answer func(net.Conn)) netip.AddrPort {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				answer(c)
				c.Close()
			}
		}()
		return addrOf(l)
	}
	silent := log.New(fails{t}, "", 0)
	closed := raw(func(net.Conn) {})
	var at, want []netip.AddrPort
	for _, row := range []struct {
		addr netip.AddrPort
		want bool
	}{
		{server(func(s *httptest.Server) { s.EnableHTTP2, s.Config.ErrorLog = true, silent; s.StartTLS() }), true},
		{server(func(s *httptest.Server) { s.Config.ErrorLog = silent; s.StartTLS() }), false},
		{server(func(s *httptest.Server) { s.Config.ErrorLog = silent; s.Start() }), false},
		{server(func(s *httptest.Server) { // refuses every name
			s.EnableHTTP2, s.TLS = true, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, io.EOF }}
			s.StartTLS()
		}), true},
		{server(func(s *httptest.Server) { // wants a certificate of the client
			s.EnableHTTP2, s.TLS = true, &tls.Config{ClientAuth: tls.RequireAnyClientCert}
			s.StartTLS()
		}), true},
		{raw(func(c net.Conn) { io.WriteString(c, "220 mail ready\r\n") }), false},
		{closed, false},
	} {
		at = append(at, row.addr)
		if row.want {
			want = append(want, row.addr)
		}
	}
	known := map[netip.AddrPort]bool{}
	if got := askAll(t.Context(), at, known); !slices.Equal(got, want) {
		t.Errorf("of %v\n got %v\nwant %v", at, got, want)
	}
	mute := raw(func(c net.Conn) { io.Copy(io.Discard, c) })
	own := []int{os.Getpid()} // this test can serve TLS
	listening := func([]int) []netip.AddrPort { return []netip.AddrPort{mute} }
	if got := HTTP2(own, []netip.AddrPort{mute}, listening, Learned{}, known); !slices.Equal(got, []Server{{mute, overTLS}}) {
		t.Errorf("a server that says nothing: %v", got)
	}
	known[mute] = false
	if got := HTTP2(own, []netip.AddrPort{mute}, listening, Learned{}, known); got != nil {
		t.Errorf("one that says nothing any more: %v", got)
	}
}

// TestHTTP2AsksOwnersAlone: an address is asked when a process listens there that can serve TLS, not
// because another process of the tree can.
func TestHTTP2AsksOwnersAlone(t *testing.T) {
	other := exec.Command("sleep", "1h")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	l, err := net.Listen("tcp", "127.0.0.1:0") // of `other`, so to speak
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listening := func(pids []int) (list []netip.AddrPort) {
		if slices.Contains(pids, other.Process.Pid) {
			list = append(list, addrOf(l))
		}
		return list
	}
	at := []netip.AddrPort{addrOf(l)}
	if got := HTTP2([]int{os.Getpid(), other.Process.Pid}, at, listening, Learned{}, map[netip.AddrPort]bool{}); got != nil {
		t.Errorf("left alone: %v", got)
	}
	if n := waiting(t, l); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

// waiting is how many connections wait at a listener.
func waiting(t *testing.T, l net.Listener) (n int) {
	t.Helper()
	conn, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) {
		info, infoErr := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err = infoErr; err == nil {
			n = int(info.Unacked)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHTTP2WithoutIPv6Loopback: a server on :: is found by IPv4 where there is no ::1.
func TestHTTP2WithoutIPv6Loopback(t *testing.T) {
	var spoken, gone answer
	var err error
	testneed.OwnThread(func() {
		var srv *httptest.Server
		if srv, err = serveWithoutIPv6Loopback(); err == nil {
			spoken = ask(t.Context(), addrOf(srv.Listener))
			srv.Close()
			gone = ask(t.Context(), addrOf(srv.Listener))
		}
	})
	if err != nil {
		testneed.Skip(t, "namespace", err)
	}
	if spoken != yes {
		t.Errorf("a server on ::, asked for HTTP/2: %v", spoken)
	}
	if gone != none { // it may be reached by other addresses of IPv6
		t.Errorf("after it was closed: %v", gone)
	}
}

// serveWithoutIPv6Loopback moves its thread into a network without ::1.
func serveWithoutIPv6Loopback() (*httptest.Server, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return nil, err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return nil, err
	}
	address := struct { // struct in6_ifreq; lo is the first interface of each namespace
		addr   [16]byte
		prefix uint32
		index  int32
	}{netip.IPv6Loopback().As16(), 128, 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCDIFADDR, uintptr(unsafe.Pointer(&address))); errno != 0 {
		return nil, errno
	}
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		return nil, err
	}
	srv := &httptest.Server{Listener: l, EnableHTTP2: true, Config: &http.Server{}}
	srv.StartTLS()
	return srv, nil
}

// fails has a test fail by what is logged.
type fails struct{ *testing.T }

func (f fails) Write(b []byte) (int, error) {
	f.Errorf("a server has logged: %s", b)
	return len(b), nil
}

func addrOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// TestLearned: what was found out ahead is not looked for again.
func TestLearned(t *testing.T) {
	self := []int{os.Getpid()}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.EnableHTTP2 = true
	srv.StartTLS()
	addr := addrOf(srv.Listener)
	at := []netip.AddrPort{addr}
	here := func([]int) []netip.AddrPort { return at }
	_, id, _ := programOf(os.Getpid())
	learned := Learned{map[program]string{id: overTLS}, nil}.Learn(self, at, here)
	if len(learned.programs) != 1 || !learned.speaks[addr] {
		t.Fatalf("%+v", learned)
	}
	srv.Close()
	known := map[netip.AddrPort]bool{}
	if got := HTTP2(self, at, here, learned, known); !slices.Equal(got, []Server{{addr, overTLS}}) || !known[addr] {
		t.Errorf("it was asked again: %v, and %v for later", got, known)
	}
	if got := HTTP2(self, at, here, learned.Programs(), known); got != nil {
		t.Errorf("it was not asked again: %v", got)
	}
	learned.programs[id] = "to be told from what reading it again would bring"
	if again := learned.Learn(self, nil, here); again.programs[id] != learned.programs[id] {
		t.Errorf("it was read again: %+v", again)
	}
	if got := learned.Learn([]int{1 << 30}, nil, here); len(got.programs) != 0 {
		t.Errorf("of no process: %+v", got)
	}
}
