//go:build unix

package front

import (
	"errors"
	"syscall"
)

// isRefused reports whether nobody listens where a connection was to go.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
