package osproc

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Background calls f on a thread of its own, and waits for it. The processes that f starts take only
// what others leave: they have the least priority, and get the disk when nobody else wants it. When f
// panics, Background does, with the stack of f in the message.
func Background(f func()) {
	done := make(chan struct{})
	panicked := "" // with what, and where
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		runtime.LockOSThread() // for ever: the thread ends with the goroutine, for nobody could raise it again
		const least = 19
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, least)
		const whoProcess, idle = 1, 3 << 13 // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE (linux/ioprio.h)
		_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, 0, idle)
		f()
	}()
	<-done
	if panicked != "" {
		panic(panicked)
	}
}
