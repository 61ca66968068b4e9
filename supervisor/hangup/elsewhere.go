//go:build !linux

package hangup

import (
	"context"
	"net/netip"
)

// HTTP2 returns nothing on this system.
func HTTP2([]int, []netip.AddrPort, func([]int) []netip.AddrPort, map[netip.AddrPort]bool) []Server {
	return nil
}

// Settle does nothing on this system.
func Settle(App) {}

// Run does nothing on this system.
func Run(context.Context, App) (ended int) { return 0 }
