package examine

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
)

// ports looks at every address that somebody is configured to listen on.
func (r Request) ports(env []string) []doctor.Port {
	var list []doctor.Port
	add := func(what, address string, guess bool) {
		host, port, err := net.SplitHostPort(address)
		if n, _ := strconv.Atoi(port); err != nil || n <= 0 || n > 65535 {
			return
		}
		p := doctor.Port{What: what, Address: net.JoinHostPort(host, port), Guess: guess}
		if slices.ContainsFunc(list, func(o doctor.Port) bool { return o.Address == p.Address }) {
			return
		}
		away := !r.lookAt(&p)
		if away && (what == "ready.tcp" || what == "ready.http") {
			return // the app serves there by way of somebody else
		}
		list = append(list, p)
	}
	add("control", r.Config.Control, false)
	add("ready.tcp", r.Config.Ready.TCP, false)
	add("ready.http", hostPort(r.Config.Ready.HTTP), false)
	for _, d := range r.Config.Databases {
		add("listen of [[database]]", d.Listen, false)
	}
	add("PORT", ":"+config.Lookup(env, "PORT"), true)
	return list
}

// lookAt says who has the address; false when it is none of this machine.
func (r Request) lookAt(p *doctor.Port) bool {
	l, err := net.Listen("tcp", p.Address)
	switch {
	case err == nil:
		l.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		p.By = r.holder(p.Address)
	case errors.Is(err, syscall.EACCES):
		p.Failed = "this user may not listen on that port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		p.Failed = "it is no address of this machine"
		return false
	default:
		var unknown *net.DNSError
		p.Failed = err.Error()
		return !errors.As(err, &unknown)
	}
	return true
}

// holder says who listens at an address.
func (r Request) holder(address string) doctor.Holder {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text)
	ip, _ := netip.ParseAddr(host) // a name, or none: any of the port
	pid, name, ok := r.PortOwner(netip.AddrPortFrom(ip, uint16(port)))
	for _, d := range r.Running {
		if slices.Contains(d.Ports, port) || ok && d.PID == pid {
			return doctor.Holder{State: doctor.Ours}
		}
	}
	if !ok {
		return doctor.Holder{State: doctor.Another}
	}
	return doctor.Holder{State: doctor.Another, PID: pid, Name: name}
}

// hostPort is the address that a URL leads to, "" for a path.
func hostPort(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
