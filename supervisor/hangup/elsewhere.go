//go:build !linux

package hangup

import "context"

// Run does nothing on this system.
func Run(context.Context, App) {}
