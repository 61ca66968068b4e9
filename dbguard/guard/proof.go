package guard

import (
	"context"
	"net"
	"net/netip"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

// proof decides whether a session that carries our label, or that came from a
// socket which the app held, is the app's for certain. Neither alone is: a
// pooler leaves the label of its last client on sessions that it then gives to
// strangers, and a port is used again by the next process that wants one.
//
// The app's processes are gone, so a session from this machine is theirs only
// if no living process holds its socket. Where the server does not see our
// sockets as they are (an address translated on the way, a Unix socket) only
// the label is left, and it counts as long as nothing that the app may have
// connected to is a pooler, and the session came the way that ours came.
type proof struct {
	d     *drain
	local map[netip.Addr]bool     // this machine's addresses
	alive map[netip.AddrPort]bool // its sockets that are connected now; nil when that cannot be known
	looks bool                    // the above were read
	pools *bool                   // nil: not known yet
}

func (d *drain) proof() *proof { return &proof{d: d} }

// of reports whether s is the app's.
func (p *proof) of(ctx context.Context, s activity.Session) bool {
	me := p.d.line.me
	p.look()
	seen := p.d.line.mapped || me.Unix() // this machine's sockets are what the server names
	if !s.Unix() && seen && p.alive != nil {
		return p.local[s.Client.Addr()] && !p.alive[s.Client]
	}
	if p.pooled(ctx) {
		return false
	}
	return s.Unix() || s.Client.Addr() == me.Client.Addr()
}

// look reads what is alive on this machine. It is done once: a socket that
// died since would only be ours a little later.
func (p *proof) look() {
	if p.looks {
		return
	}
	p.looks = true
	conns, err := sockets.Established()
	if err != nil {
		return
	}
	p.local = localAddrs()
	p.alive = make(map[netip.AddrPort]bool, len(conns))
	for _, c := range conns {
		p.alive[c.Local] = true
	}
}

// pooled reports whether the app may have connected to a pooler.
func (p *proof) pooled(ctx context.Context) bool {
	if p.pools == nil {
		answer := false
		for _, u := range p.d.g.known() {
			answer = answer || p.mayPool(ctx, u, p.d.dials[u])
		}
		p.pools = &answer
	}
	return *p.pools
}

// mayPool reports whether u may be a pooler that the app was connected to.
// What a server is does not depend on the database: another upstream of the
// same one speaks for it.
func (p *proof) mayPool(ctx context.Context, u *upstream, dial *dialing) bool {
	if u.id.Server == p.d.u.id.Server {
		return false
	}
	if p.d.g.access(u).role == dsn.Other && dial == nil {
		return !p.d.noted // nobody looked whether the app had a socket there
	}
	if dial != nil {
		select {
		case <-dial.done:
		case <-ctx.Done():
			return true
		}
		if dial.unused {
			return false
		}
	}
	return p.d.g.awaitProbe(ctx, u).pooled()
}

// localAddrs returns the addresses of this machine, in the form of package
// sockets.
func localAddrs() map[netip.Addr]bool {
	local := map[netip.Addr]bool{}
	list, _ := net.InterfaceAddrs()
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			local[prefix.Addr().Unmap().WithZone("")] = true
		}
	}
	return local
}
