//go:build !linux

package hangup

import "context"

// Settle does nothing on this system.
func Settle(App) {}

// Run does nothing on this system.
func Run(context.Context, App) (ended int) { return 0 }
