package osproc

import (
	"fmt"
	"testing"
)

func TestSocketInode(t *testing.T) {
	for target, want := range map[string]uint64{"socket:[25423]": 25423, "socket:[18446744073709551615]": 1<<64 - 1} {
		if inode, ok := SocketInode(target); !ok || inode != want {
			t.Errorf("%q: %d, %v", target, inode, ok)
		}
	}
	for _, target := range []string{"", "socket:[", "socket:[]", "socket:[12", "socket:[12]]", "socket:[-1]", "socket:[18446744073709551616]", "pipe:[12]", "/dev/null"} {
		if inode, ok := SocketInode(target); ok {
			t.Errorf("%q is socket %d", target, inode)
		}
	}
}

func FuzzSocketInode(f *testing.F) {
	f.Add("socket:[1]")
	f.Fuzz(func(t *testing.T, target string) {
		if inode, ok := SocketInode(target); ok && len(target) < len(fmt.Sprintf("socket:[%d]", inode)) {
			t.Errorf("%q is socket %d", target, inode)
		}
	})
}
