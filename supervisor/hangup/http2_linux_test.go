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
	"slices"
	"testing"
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
	mute := []netip.AddrPort{raw(func(c net.Conn) { io.Copy(io.Discard, c) })}
	if got := HTTP2([]int{os.Getpid()}, mute, known); !slices.Equal(got, mute) { // this test can serve TLS
		t.Errorf("a server that says nothing: %v", got)
	}
	known[mute[0]] = false
	if got := HTTP2([]int{os.Getpid()}, mute, known); got != nil {
		t.Errorf("one that says nothing any more: %v", got)
	}
	if got := HTTP2(nil, mute, known); got != nil {
		t.Errorf("asked, although no process can serve TLS: %v", got)
	}
}

// fails has a test fail by what is logged.
type fails struct{ *testing.T }

func (f fails) Write(b []byte) (int, error) {
	f.Errorf("a server has logged: %s", b)
	return len(b), nil
}

func addrOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }
