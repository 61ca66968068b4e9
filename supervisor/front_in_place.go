package supervisor

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/ready"
)

// inPlace: clients come to the addresses that the app binds, and the app listens on the same ports
// elsewhere.
type inPlace struct {
	front  *front.Process
	holder *listeners.Holder
	log    *slog.Logger
	warned sync.Once // that it answers nowhere

	told []netip.AddrPort // said to be answered at; of the holder's one goroutine
}

// anAddress is the hint for where a front in place cannot be.
const anAddress = "write an address: --front=127.0.0.1:8080, or front.listen; the app gets PORT then"

func openInPlace(cfg *config.Config, holder *listeners.Holder, log *slog.Logger) (*front.Process, place, error) {
	switch {
	case runtime.GOOS != "linux":
		return nil, nil, logline.WithHint(errors.New("only Linux asks devguard before the app binds an address"), anAddress)
	case !cfg.App.HoldSockets:
		return nil, nil, logline.WithHint(errors.New("a front where the app binds needs hold_sockets, which is off"), anAddress)
	case cfg.Debug.On:
		return nil, nil, logline.WithHint(errors.New("a front where the app binds would stand before the debugger, too"), anAddress)
	}
	f, err := startFront(cfg, "", log)
	if err != nil {
		return nil, nil, err
	}
	p := &inPlace{front: f, holder: holder, log: log}
	holder.StandIn(p)
	return f, p, nil
}

// Take is part of listeners.Deputy.
func (p *inPlace) Take(addr netip.AddrPort, v6only bool) (instead netip.AddrPort, err error) {
	instead, err = p.front.Take(addr, v6only)
	if err == nil && !slices.Contains(p.told, addr) {
		p.told = append(p.told, addr)
		logline.Front(addr.String()).To(p.log)
	}
	return instead, err
}

// Keep is part of listeners.Deputy.
func (p *inPlace) Keep(addrs []netip.AddrPort) {
	p.told = addrs
	p.front.Keep(addrs)
}

func (p *inPlace) dials() []string { return nil }

// await asks the app, and not the front, which waits for it. An app that comes back to an address is
// not ready without it, however long it lives.
func (p *inPlace) await(r *ready.Rule, t *ready.Target) {
	if p.front.Answers() {
		t.Alive = cmp.Or(r.Timeout, ready.DefaultTimeout)
	}
	t.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, p.front.Behind(addr))
	}
}

// found warns when the app listens, and clients reach none of it by way of the front.
func (p *inPlace) found(listening []netip.AddrPort) {
	if len(listening) == 0 || slices.ContainsFunc(listening, func(at netip.AddrPort) bool { return p.front.Seen(at) != at }) {
		return
	}
	why := cmp.Or(p.holder.Status().Off, "devguard takes over neither port 0 nor sockets with SO_REUSEPORT or of IPv6 alone, nor what somebody else has")
	p.warned.Do(func() {
		logline.Note(true, "clients reach the app at "+listening[0].String()+" without the front: "+why, anAddress).To(p.log)
	})
}
