package listeners

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWatches(t *testing.T) {
	const set = "pos:\t0\nflags:\t02\nmnt_id:\t16\nino:\t1057\n" +
		"tfd:        7 events:       19 data:                7  pos:0 ino:2a1f sdev:8\n" +
		"tfd:       12 events: 80002019 data:     7f3700000001  pos:0 ino:31 sdev:f\n"
	const old = "pos:\t0\nflags:\t02\ntfd:        7 events:       19 data:                7\n"
	for name, tt := range map[string]struct {
		fdinfo string
		fd     int
		inode  uint64
		want   bool
	}{
		"in the set":                        {set, 7, 0x2a1f, true},
		"by another descriptor":             {set, 3, 0x31, true},
		"the descriptor was another's":      {set, 7, 0x99, false},
		"not in the set":                    {set, 8, 0x99, false},
		"the inode of the set itself":       {set, 8, 0x1057, false},
		"a kernel that tells no inode":      {old, 7, 0x99, true},
		"the same, and another descriptor":  {old, 17, 0x99, false},
		"an empty set":                      {"pos:\t0\n", 7, 1, false},
		"nothing":                           {"", 7, 1, false},
		"a line that is cut off":            {"tfd:", 7, 1, false},
		"a line that is cut off later":      {"tfd: 7 events: 1 ino:", 7, 1, true},
		"an inode that is no number at all": {"tfd: 7 ino:x", 7, 1, false},
	} {
		if got := watches([]byte(tt.fdinfo), tt.fd, tt.inode); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func sockaddr(family uint16, rest ...byte) []byte {
	return append(binary.NativeEndian.AppendUint16(nil, family), rest...)
}

func TestParseSockaddr(t *testing.T) {
	v6 := func(ip string, zone uint32) []byte {
		b := sockaddr(unix.AF_INET6, 0x1f, 0x90, 0, 0, 0, 0)
		a := netip.MustParseAddr(ip).As16()
		return binary.NativeEndian.AppendUint32(append(b, a[:]...), zone)
	}
	for name, tt := range map[string]struct {
		b    []byte
		want string
	}{
		"IPv4":                   {sockaddr(unix.AF_INET, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), "127.0.0.1:8080"},
		"IPv6":                   {v6("::1", 0), "[::1]:8080"},
		"IPv4 in IPv6":           {v6("::ffff:127.0.0.1", 0), "[::ffff:127.0.0.1]:8080"},
		"link-local":             {v6("fe80::1", 2), "[fe80::1%2]:8080"},
		"a zone of no use":       {v6("::1", 2), "[::1]:8080"},
		"IPv6, cut off":          {v6("::1", 0)[:16], ""},
		"a Unix socket":          {sockaddr(unix.AF_UNIX, make([]byte, 30)...), ""},
		"no family":              {sockaddr(unix.AF_UNSPEC, make([]byte, 14)...), ""},
		"a netlink socket's own": {sockaddr(unix.AF_NETLINK, make([]byte, 14)...), ""},
	} {
		got, err := parseSockaddr(tt.b)
		if err != nil && tt.want != "" || err == nil && got.String() != tt.want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, tt.want)
		}
	}
}
