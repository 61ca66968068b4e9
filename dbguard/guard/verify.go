package guard

import (
	"context"
	"net"
	"net/netip"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/dbguard/sockets"
)

// direct reports whether our session leads to a server itself. Addresses that are
// not translated prove it; else the probe must have compared two sessions.
func (d *drain) direct(ctx context.Context) bool {
	if d.own.untranslated || d.own.direct && d.own.self.Unix() {
		return true
	}
	d.u.prober.ensure()
	return d.own.direct && d.u.prober.await(ctx).kind == postgres
}

// filter says what to look for.
func (d *drain) filter() activity.Filter {
	f := activity.Filter{Skip: d.all.siblings(d.u), Labels: d.u.labels.prefixes(d.gen)}
	if d.own.untranslated {
		server := d.own.remote()
		for _, c := range d.conns {
			if sameServer(c.Remote, server) {
				f.Clients = append(f.Clients, c.Local)
			}
		}
	}
	return f
}

// apps returns the sessions of found that are provably the app's, of a generation
// that has ended, and reports those that merely look like it.
func (d *drain) apps(ctx context.Context, found []activity.Session, o *ownership) []activity.Session {
	var list []activity.Session
	for _, s := range found {
		if !d.u.labels.ended(s.ApplicationName, d.gen) {
			continue
		}
		if _, known := d.sessions[s]; known || o.isApp(ctx, s) {
			list = append(list, s)
		} else if isLabel(s.ApplicationName) {
			d.u.log.bypass(d.u.name, s)
		}
	}
	return list
}

// ownership decides whether a session that carries our label, or that came from a
// socket which the app held, is the app's for certain. Neither alone is: a
// pooler leaves the label of its last client on sessions that it then gives to
// strangers, and a port is used again by the next process that wants one.
//
// The app's processes are gone, so a session from this machine is theirs only
// if no living process holds its socket. Where the server does not see our
// sockets as they are (an address translated on the way, a Unix socket) only
// the label is left, and it counts as long as nothing that the app may have
// connected to is a pooler, and the session came the way that ours came.
type ownership struct {
	d     *drain
	local map[netip.Addr]bool     // this machine's addresses
	alive map[netip.AddrPort]bool // its sockets that are connected now; nil when that cannot be known
	looks bool                    // the above were read
	pools *bool                   // nil: not known yet
}

func (d *drain) ownership() *ownership { return &ownership{d: d} }

// isApp reports whether s is the app's.
func (o *ownership) isApp(ctx context.Context, s activity.Session) bool {
	self := o.d.own.self
	o.look()
	seen := o.d.own.untranslated || self.Unix() // this machine's sockets are what the server names
	if !s.Unix() && seen && o.alive != nil {
		return o.local[s.Client.Addr()] && !o.alive[s.Client]
	}
	if o.pooled(ctx) {
		return false
	}
	return s.Unix() || s.Client.Addr() == self.Client.Addr()
}

// look reads what is alive on this machine. It is done once: a socket that
// died since would only be the app's a little later.
func (o *ownership) look() {
	if o.looks {
		return
	}
	o.looks = true
	conns, err := sockets.Established()
	if err != nil {
		return
	}
	o.local = localAddrs()
	o.alive = make(map[netip.AddrPort]bool, len(conns))
	for _, c := range conns {
		o.alive[c.Local] = true
	}
}

// pooled reports whether the app may have connected to a pooler.
func (o *ownership) pooled(ctx context.Context) bool {
	if o.pools == nil {
		answer := false
		for _, u := range o.d.all.all() {
			answer = answer || o.mayPool(ctx, u, o.d.dials[u])
		}
		o.pools = &answer
	}
	return *o.pools
}

// mayPool reports whether u may be a pooler that the app was connected to.
// What a server is does not depend on the database: another upstream of the
// same one speaks for it.
func (o *ownership) mayPool(ctx context.Context, u *upstream, dial *dialing) bool {
	if u.id.Server == o.d.u.id.Server {
		return false
	}
	if u.access().role == dsn.Other && dial == nil {
		return !o.d.seen // nobody looked whether the app had a socket there
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
	return u.prober.await(ctx).pooled()
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
