//go:build !linux || !(amd64 || arm64)

package seccomp

import "os"

// Install says that there is no such filter here.
func Install(func() error) (fd int, asksExec bool, err error) { return -1, false, ErrUnsupported }

// Listener receives nothing on this system.
type Listener struct{}

// NewListener says that there is no such filter here.
func NewListener(*os.File) (*Listener, error) { return nil, ErrUnsupported }

// ContinueNext says that there is no such filter here.
func ContinueNext(*os.File) error { return ErrUnsupported }

// Close does nothing.
func (*Listener) Close() error { return nil }

// Receive says that there is no such filter here.
func (*Listener) Receive() (Notification, error) { return Notification{}, ErrUnsupported }

// Waiting reports false.
func (*Listener) Waiting(Notification) bool { return false }

// Continue says that there is no such filter here.
func (*Listener) Continue(Notification) error { return ErrUnsupported }

// Succeed says that there is no such filter here.
func (*Listener) Succeed(Notification) error { return ErrUnsupported }

// Replace says that there is no such filter here.
func (*Listener) Replace(Notification, int, bool) error { return ErrUnsupported }
