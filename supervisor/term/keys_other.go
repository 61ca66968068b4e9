//go:build !unix

package term

import (
	"errors"
	"os"
)

// Keys is never made on this system.
type Keys struct{}

// Open fails: a Windows console has modes of its own, which are not used yet.
func Open(*os.File) (*Keys, error) {
	return nil, errors.New("keys are read on Linux and macOS only")
}

// Keys returns nil.
func (*Keys) Keys() <-chan rune { return nil }

// GiveBack does nothing.
func (*Keys) GiveBack() {}

// Close does nothing.
func (*Keys) Close() {}
