//go:build linux

package proc_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/proc"
)

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestManyCyclesLeaveNothing(t *testing.T) {
	cycles := 200
	if testing.Short() {
		cycles = 20
	}
	var l proc.Launcher
	cycle := func(n int) {
		i, err := l.Start(t.Context(), proc.Spec{Path: "sleep", Args: []string{"60"}})
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			if err := l.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		if res := i.Stop(t.Context(), proc.StopSpec{Grace: time.Minute}); res.Killed || i.Exit().Signal != "SIGTERM" {
			t.Fatalf("cycle %d: %+v %+v", n, res, i.Exit())
		}
	}
	cycle(1) // whatever the runtime opens for good
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for n := range cycles {
		cycle(n)
	}
	l.Close()
	if err := l.Prepare(); err == nil {
		t.Error("a closed launcher prepares")
	}
	eventually(t, fmt.Sprintf("no more open files than %d", files), func() bool { return openFiles(t) <= files })
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if left := descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The ratio of the three is what a guardian costs.
func BenchmarkStart(b *testing.B) {
	spec := proc.Spec{Path: "/bin/true"}
	run := func(b *testing.B, l *proc.Launcher) {
		i, err := l.Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		<-i.Gone()
		b.StartTimer()
	}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			p, err := os.StartProcess(spec.Path, []string{"true"}, &os.ProcAttr{})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			p.Wait()
			b.StartTimer()
		}
	})
	b.Run("prepared", func(b *testing.B) {
		var l proc.Launcher
		defer l.Close()
		for b.Loop() {
			b.StopTimer()
			if err := l.Prepare(); err != nil {
				b.Fatal(err)
			}
			awaitIdle(b)
			b.StartTimer()
			run(b, &l)
		}
	})
	b.Run("unprepared", func(b *testing.B) {
		for b.Loop() {
			run(b, new(proc.Launcher))
		}
	})
}

// awaitIdle waits until warden and guardian have come to rest, without using the
// processor that they need for it; nothing outside tells when that is.
func awaitIdle(b *testing.B) {
	b.Helper()
	if len(descendants(os.Getpid())) == 0 {
		b.Fatal("no guardian was prepared")
	}
	<-time.After(50 * time.Millisecond)
}
