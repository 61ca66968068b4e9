//go:build unix

package watch

import (
	"os"
	"syscall"
)

// openRegular opens a file that was regular when last seen. Should it have become a FIFO since,
// opening must not wait for a writer.
func openRegular(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
