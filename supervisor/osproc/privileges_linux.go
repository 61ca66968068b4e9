package osproc

import (
	"os"

	"golang.org/x/sys/unix"
)

// Privileges says what a program has that runs with other privileges than whoever starts it, to follow
// its name in a sentence; "" for any other file, and for none.
func Privileges(path string) string {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		return "is setuid or setgid"
	}
	if n, err := unix.Getxattr(path, "security.capability", nil); err == nil && n > 0 {
		return "has file capabilities"
	}
	return ""
}
