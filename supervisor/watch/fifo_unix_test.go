//go:build unix

package watch

import (
	"syscall"
	"testing"
)

func TestUnreadableAndOddFiles(t *testing.T) {
	d := newWorld(t)
	d.start(Options{})
	d.must(syscall.Mkfifo(d.path("a/fifo.go"), 0o644)) // opening it would wait for ever
	d.mkdir("a/dir.go")
	d.write("a/a.go", "package a // after that\n")
	d.untilTold("a/a.go")
	d.settled()
}
