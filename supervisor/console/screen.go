package console

import (
	"fmt"
	"io"
	"sync"
)

// Screen is a terminal that may show one line of progress under everything
// else. Whatever is written through it takes that line away first, so the log
// and the output of hooks must be; an app writes to the terminal directly, so
// progress must be cleared before one starts.
type Screen struct {
	w    io.Writer
	live bool

	mu    sync.Mutex
	shown string
}

// NewScreen makes a Screen. When live is false, as for a pipe, progress is not
// shown.
func NewScreen(w io.Writer, live bool) *Screen { return &Screen{w: w, live: live} }

// Write clears the progress and writes p.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.w.Write(p)
}

// Packages shows how many packages of a build are done.
func (s *Screen) Packages(done, total int) {
	line := fmt.Sprintf("building %d/%d", done, total)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live || line == s.shown {
		return
	}
	s.shown = line
	// Erase what the new text does not cover (ECMA-48 EL).
	_, _ = io.WriteString(s.w, "\r"+line+"\x1b[K")
}

// Clear takes the progress away.
func (s *Screen) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *Screen) clear() {
	if s.shown != "" {
		s.shown = ""
		_, _ = io.WriteString(s.w, "\r\x1b[K")
	}
}
