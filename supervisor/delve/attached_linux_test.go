package delve

import (
	"net"
	"testing"
)

// TestAttached: who listens, or has gone, is no debugger that is attached.
func TestAttached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := Server{Address: l.Addr().String()}
	if got := s.attached(); got != alone {
		t.Errorf("with nobody: %v", got)
	}
	editor, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.attached(); got != attached {
		t.Errorf("with an editor: %v", got)
	}
	editor.Close()
	if got := s.attached(); got != alone {
		t.Errorf("with one that has gone: %v", got)
	}
}
