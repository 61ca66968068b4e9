package dsn

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeepAliveReachesTheSocket asks the kernel what a connection of ours has.
func TestKeepAliveReachesTheSocket(t *testing.T) {
	clearPG(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		params string
		want   keepAliveState
	}{
		{"keepalives_idle=77&keepalives_interval=11&keepalives_count=5", keepAliveState{1, 77, 11, 5}},
		{"keepalives=0", keepAliveState{On: 0}},
	} {
		s, err := Parse("postgres://u@" + l.Addr().String() + "/app?connect_timeout=5&" + c.params)
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := s.Config("")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := config.DialFunc(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := keepAliveOf(conn.(*net.TCPConn))
		conn.Close()
		if got.On == 0 {
			got = keepAliveState{}
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.params, got, err)
		}
	}
}

// keepAliveState is what a socket is set to; times in seconds.
type keepAliveState struct{ On, Idle, Interval, Count int }

func keepAliveOf(c *net.TCPConn) (keepAliveState, error) {
	var k keepAliveState
	raw, err := c.SyscallConn()
	if err != nil {
		return k, err
	}
	get := func(fd uintptr, level, option int) int {
		n, e := unix.GetsockoptInt(int(fd), level, option)
		if e != nil {
			err = e
		}
		return n
	}
	if e := raw.Control(func(fd uintptr) {
		k = keepAliveState{get(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE), get(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE),
			get(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)}
	}); e != nil {
		return k, e
	}
	return k, err
}
