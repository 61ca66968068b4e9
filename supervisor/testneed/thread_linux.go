package testneed

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OwnThread does f on a thread that ends with it: what f does to its thread (a filter of system calls)
// is nobody else's. The main thread never ends, so it is never that one. Call it in a goroutine of its
// own.
func OwnThread(f func()) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if unix.Gettid() != os.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		OwnThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}
