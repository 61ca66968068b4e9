package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// plain makes a log in which a test can see which line is which.
func plain(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// closed closes a Screen and checks that everything was written.
func closed(t *testing.T, s *Screen) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestProgressIsClearedBeforeOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		s := NewScreen(&b, true, plain)
		for _, done := range []int{34, 34, 35} {
			s.Packages(done, 249)
			synctest.Wait()
		}
		logline.BuildFinished(1, 0).To(New(s, "pretty", slog.LevelInfo, false))
		s.Clear()
		closed(t, s)
		got := b.String()
		want := "\rbuilding 34/249\x1b[K\rbuilding 35/249\x1b[K\r\x1b[K"
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " built in 0 ms\n") || strings.Count(got, "\r") != 3 {
			t.Errorf("%q", got)
		}
	})
}

func TestProgressIsNotShownInAPipe(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, false, plain)
	s.Packages(1, 2)
	s.Clear()
	closed(t, s)
	if b.Len() != 0 {
		t.Errorf("%q", b.String())
	}
}

func TestProgressBesideTheLog(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, true, plain)
	l := New(s, "text", slog.LevelInfo, false)
	var all sync.WaitGroup
	all.Go(func() {
		for i := range 100 {
			s.Packages(i, 100)
		}
	})
	all.Go(func() {
		for i := range 100 {
			logline.BuildStarted(i).To(l)
		}
	})
	all.Wait()
	s.Clear()
	closed(t, s)
	for line := range strings.Lines(b.String()) {
		if i := strings.LastIndex(line, "time="); i > 0 && !strings.HasSuffix(line[:i], "\r\x1b[K") {
			t.Fatalf("garbled: %q", line)
		}
	}
}

// gate is a terminal that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(p)
}

// What a terminal does not take waits, up to a bound. Then the newest lines are lost, and
// how many is said where they are missing.
func TestLinesThatAreLostAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		s := NewScreen(g, true, plain)
		line := func(n int) { fmt.Fprintf(s, "line %d\n", n) }
		line(0)
		synctest.Wait() // in the hands of the writer
		const lost = 7
		for n := range maxQueued + lost {
			line(n + 1)
			s.Packages(n, maxQueued)
		}
		close(g.open)
		synctest.Wait()
		line(-1)
		closed(t, s)
		var want strings.Builder
		for n := range maxQueued + 1 {
			fmt.Fprintf(&want, "line %d\n", n)
		}
		fmt.Fprintf(&want, "level=WARN msg=%q lines=%d\n", logline.MsgLinesLost, lost)
		fmt.Fprintf(&want, "line -1\n")
		got := strings.ReplaceAll(g.String(), "\r\x1b[K", "")
		if got = strings.ReplaceAll(got, fmt.Sprintf("\rbuilding %d/%d\x1b[K", maxQueued+lost-1, maxQueued), ""); got != want.String() {
			t.Errorf("written: %.100q ... %.200q", got, got[max(0, len(got)-200):])
		}
	})
}

// Lines are lost in two places when there was room in between.
func TestLinesLostTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := NewScreen(w, false, plain)
		for range maxQueued + 3 { // one is in the hands of the writer
			fmt.Fprintln(s, "before")
			synctest.Wait()
		}
		taken := make([]byte, len("before\n"))
		io.ReadFull(r, taken)
		synctest.Wait() // room for one
		fmt.Fprintln(s, "between")
		fmt.Fprintln(s, "lost again")
		var rest bytes.Buffer
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(&rest, r)
			read <- err
		}()
		closed(t, s)
		w.Close()
		<-read
		two, one := fmt.Sprintf("level=WARN msg=%q lines=2\n", logline.MsgLinesLost), fmt.Sprintf("level=WARN msg=%q lines=1\n", logline.MsgLinesLost)
		if want := strings.Repeat("before\n", maxQueued) + two + "between\n" + one; rest.String() != want {
			t.Errorf("written: ... %.300q", rest.String()[max(0, rest.Len()-300):])
		}
	})
}

// Nobody who writes waits, and the end waits for a reader only as long as it takes
// something.
func TestCloseOfATerminalThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := NewScreen(w, true, plain)
		began := time.Now()
		for range 3 {
			fmt.Fprintln(s, "line")
		}
		s.Packages(1, 2)
		s.Clear()
		if took := time.Since(began); took > 0 {
			t.Errorf("writing took %v", took)
		}
		slow := make(chan string, 1)
		go func() { // takes one line in time, and no more
			time.Sleep(closePatience * 3 / 4)
			line := make([]byte, len("line\n"))
			io.ReadFull(r, line)
			slow <- string(line)
		}()
		if err := s.Close(); err == nil || time.Since(began) != closePatience*7/4 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if got := <-slow; got != "line\n" {
			t.Errorf("%q", got)
		}
		if _, err := s.Write([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a line after the end: %v", err)
		}
		r.Close() // ends the writer
	})
}
