package console

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/devguard/devguard/supervisor/logline"
)

func TestProgressIsClearedBeforeOutput(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, true)
	s.Packages(34, 249)
	s.Packages(34, 249)
	s.Packages(35, 249)
	logline.BuildFinished(1, 0).To(New(s, "pretty", slog.LevelInfo, false))
	s.Clear()
	got := b.String()
	want := "\rbuilding 34/249\x1b[K\rbuilding 35/249\x1b[K\r\x1b[K"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " built in 0 ms\n") || strings.Count(got, "\r") != 3 {
		t.Errorf("%q", got)
	}
}

func TestProgressIsNotShownInAPipe(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, false)
	s.Packages(1, 2)
	s.Clear()
	if b.Len() != 0 {
		t.Errorf("%q", b.String())
	}
}

func TestProgressBesideTheLog(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, true)
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
	for line := range strings.Lines(b.String()) {
		if i := strings.LastIndex(line, "time="); i > 0 && !strings.HasSuffix(line[:i], "\r\x1b[K") {
			t.Fatalf("garbled: %q", line)
		}
	}
}
