//go:build !linux

package hangup

import (
	"context"
	"net/netip"
)

// HTTP2 returns nothing on this system.
func HTTP2([]int, []netip.AddrPort, func([]int) []netip.AddrPort, Learned, map[netip.AddrPort]bool) []Server {
	return nil
}

// Learn returns nothing on this system.
func (Learned) Learn([]int, []netip.AddrPort, func([]int) []netip.AddrPort) Learned { return Learned{} }

// Programs returns nothing on this system.
func (Learned) Programs() Learned { return Learned{} }

// Settle does nothing on this system.
func Settle(App) {}

// Run does nothing on this system.
func Run(context.Context, App) (ended int) { return 0 }
