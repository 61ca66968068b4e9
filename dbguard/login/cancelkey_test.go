package login

import (
	"bytes"
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestCancelKeys(t *testing.T) {
	var keys cancelKeys
	var called []string
	add := func(pid uint32, n int, name string) ([]byte, func()) {
		return keys.add(pid, n, func(context.Context) { called = append(called, name) })
	}
	a, removeA := add(7, 32, "a")
	b, removeB := add(7, 4, "b") // another server's process of the same number
	if len(a) != 32 || len(b) != 4 || bytes.Equal(a[:4], b) {
		t.Fatalf("keys %x and %x", a, b)
	}
	longer := append(bytes.Clone(b), 0)
	for _, wrong := range [][]byte{nil, {}, {1}, longer, a[:4], make([]byte, 32), make([]byte, 256)} {
		keys.request(t.Context(), 7, wrong)
	}
	keys.request(t.Context(), 8, a)
	if called != nil {
		t.Fatalf("wrong keys have called %v", called)
	}
	keys.request(t.Context(), 7, b)
	keys.request(t.Context(), 7, a)
	removeA()
	keys.request(t.Context(), 7, a)
	keys.request(t.Context(), 7, b)
	removeB()
	removeB()
	keys.request(t.Context(), 7, b)
	if len(called) != 3 || called[0] != "b" || called[1] != "a" || called[2] != "b" {
		t.Errorf("called %v", called)
	}
	if len(keys.sessions) != 0 {
		t.Errorf("%d keys are left", len(keys.sessions))
	}
}

func TestPidIsPositive(t *testing.T) {
	for range 1000 {
		if pid := NewPID(); int32(pid) <= 0 {
			t.Fatal(pid)
		}
	}
}

func TestKeySize(t *testing.T) {
	for _, c := range []struct {
		protocol uint32
		server   string
		want     int
	}{
		{pgproto3.ProtocolVersion30, "18.1", 4},
		{pgproto3.ProtocolVersion32, "18.1", 32},
		{pgproto3.ProtocolVersion32, "15.18 (Debian)", 4},
		{pgproto3.ProtocolVersion32, "", 4},
	} {
		if got := (&Client{version: c.protocol}).keySize(c.server); got != c.want {
			t.Errorf("%d, %q: %d bytes, want %d", c.protocol, c.server, got, c.want)
		}
	}
}
