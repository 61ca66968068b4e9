package listeners

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestCopyOptions: a kept socket, which listens, gets all options of the new generation's own, which has
// set others or none.
func TestCopyOptions(t *testing.T) {
	for _, protocol := range []int{unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			for _, sets := range []bool{false, true} {
				t.Run(fmt.Sprintf("protocol %d, family %d, sets %v", protocol, family, sets), func(t *testing.T) {
					kept, own := streamSocket(t, family, protocol), streamSocket(t, family, protocol)
					if sets {
						setMany(own)
					} else {
						setMany(kept)
					}
					if err := unix.Listen(kept, 1); err != nil {
						t.Fatal(err)
					}
					before, want := inheritedOf(kept), inheritedOf(own)
					copyOptions(kept, own, optionsOf(own))
					got := inheritedOf(kept)
					for name, value := range want {
						if got[name] != value {
							t.Errorf("%s is %s, want %s", name, got[name], value)
						}
					}
					if fmt.Sprint(before) == fmt.Sprint(want) {
						t.Error("nothing differed")
					}
				})
			}
		}
	}
}

func streamSocket(t *testing.T, family, protocol int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		testneed.Skip(t, "mptcp", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// setMany sets what this socket knows, each to a value that is no default.
func setMany(fd int) {
	values := map[int]int{unix.SO_PRIORITY: 3, unix.SO_RCVLOWAT: 7, unix.SO_OOBINLINE: 1}
	for name, value := range values {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, name, value)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, 0x10)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 33)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0x20)
	for name, value := range map[int]int{
		unix.TCP_NODELAY: 1, unix.TCP_KEEPIDLE: 77, unix.TCP_KEEPINTVL: 7, unix.TCP_KEEPCNT: 3, unix.TCP_USER_TIMEOUT: 5000,
		unix.TCP_DEFER_ACCEPT: 3, unix.TCP_NOTSENT_LOWAT: 9999, unix.TCP_FASTOPEN: 5,
	} {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, name, value)
	}
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3})
	_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
}

func inheritedOf(fd int) map[string]string {
	all := map[string]string{}
	for _, o := range inherited {
		value, err := unix.GetsockoptInt(fd, o.level, o.name)
		all[fmt.Sprintf("option %d of level %d", o.name, o.level)] = fmt.Sprint(value, err)
	}
	linger, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	if linger.Onoff == 0 {
		linger.Linger = 0 // the kernel keeps it
	}
	all["SO_LINGER"] = fmt.Sprint(*linger, err)
	name, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	all["TCP_CONGESTION"] = fmt.Sprint(name, err)
	return all
}
