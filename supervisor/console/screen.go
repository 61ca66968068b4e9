package console

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// maxQueued bounds the lines that wait for a terminal which takes none: it was stopped
// by Ctrl-S, or the log goes to a program that does not read. The number is a guess:
// some hundred reloads, and about a megabyte.
const maxQueued = 4096

// closePatience is how long Close waits for a reader that takes nothing. A guess: who
// has looked away for that long does not wait for the last lines.
const closePatience = 2 * time.Second

// Screen is where devguard writes: a terminal, perhaps, which may show one line of
// progress under everything else. One goroutine does the writing, so that nobody else
// ever waits for whoever reads it.
//
// Lines keep their order. One that finds maxQueued waiting is lost; that is said in the
// place of those that are missing, as soon as there is room for it. A line of progress
// is only shown while nothing newer is known.
//
// The app and hooks write to the terminal directly. Progress must be cleared before one
// starts.
type Screen struct {
	w     io.Writer
	live  bool                         // whether progress is shown
	lines func(io.Writer) *slog.Logger // makes a log in the format of this one

	queue    chan entry
	progress chan string // the newest; "" takes it away
	closing  chan struct{}
	done     chan struct{} // closed when everything is written
	wrote    chan struct{} // something was, since Close looked

	shown string // touched by the writing goroutine alone

	mu   sync.Mutex // puts those in order who queue lines
	lost int        // lines since the last one queued
}

// entry is one line of the log, or what was written as one.
type entry struct {
	text []byte
	lost int // lines before it that found no room
}

// NewScreen makes a Screen that writes to w. When live is false, as for a pipe, progress
// is not shown. lines makes a log in the format of the one that is written here: by it
// the Screen says what was lost. The caller closes the Screen.
func NewScreen(w io.Writer, live bool, lines func(io.Writer) *slog.Logger) *Screen {
	s := &Screen{
		w: w, live: live, lines: lines,
		queue: make(chan entry, maxQueued), progress: make(chan string, 1),
		closing: make(chan struct{}), done: make(chan struct{}), wrote: make(chan struct{}, 1),
	}
	go s.run()
	return s
}

// Write queues p, one line or what belongs together. It does not wait, and keeps a copy
// of p. The error is os.ErrClosed after Close, and nil when the line is lost.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return 0, os.ErrClosed
	default:
	}
	select {
	case s.queue <- entry{slices.Clone(p), s.lost}:
		s.lost = 0
	default:
		s.lost++
	}
	return len(p), nil
}

// Packages shows how many packages of a build are done.
func (s *Screen) Packages(done, total int) {
	if s.live {
		s.show(fmt.Sprintf("building %d/%d", done, total))
	}
}

// Clear takes the progress away.
func (s *Screen) Clear() { s.show("") }

// show puts a line of progress in the place of the one that is not written yet.
func (s *Screen) show(line string) {
	for {
		select {
		case s.progress <- line:
			return
		default:
		}
		select {
		case <-s.progress:
		default:
		}
	}
}

// Close writes what is queued and ends the Screen. When nothing was taken for
// closePatience, it leaves the rest and says so.
func (s *Screen) Close() error {
	s.mu.Lock()
	close(s.closing)
	s.mu.Unlock()
	for {
		select {
		case <-s.done:
			return nil
		case <-s.wrote:
		case <-time.After(closePatience):
			return errors.New("the end of the log is not written: nobody reads it")
		}
	}
}

// run is the goroutine that writes.
func (s *Screen) run() {
	defer close(s.done)
	for {
		select {
		case e := <-s.queue:
			s.write(e)
		case line := <-s.progress:
			s.redraw(line)
		case <-s.closing:
			s.flush()
			return
		}
	}
}

// flush writes what was queued before Close.
func (s *Screen) flush() {
	for {
		select {
		case e := <-s.queue:
			s.write(e)
		default:
			s.redraw("")
			s.sayLost(s.takeLost())
			return
		}
	}
}

func (s *Screen) write(e entry) {
	s.redraw("")
	s.sayLost(e.lost)
	_, _ = s.w.Write(e.text)
	s.sayLost(s.takeLost())
	select {
	case s.wrote <- struct{}{}:
	default:
	}
}

// takeLost returns how many lines were lost, once all that was queued before them is
// written.
func (s *Screen) takeLost() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		n, s.lost = s.lost, 0
	}
	return n
}

func (s *Screen) sayLost(n int) {
	if n > 0 {
		logline.LinesLost(n).To(s.lines(s.w))
	}
}

// redraw shows another line of progress, or none.
func (s *Screen) redraw(line string) {
	switch {
	case line == s.shown:
	case line == "":
		_, _ = io.WriteString(s.w, "\r\x1b[K")
	default:
		// Erase what the new text does not cover (ECMA-48 EL).
		_, _ = io.WriteString(s.w, "\r"+line+"\x1b[K")
	}
	s.shown = line
}
