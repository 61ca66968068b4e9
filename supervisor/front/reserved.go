package front

import (
	_ "embed"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The targets that are devguard's own. A request is one for them only if its target is one of
// these, byte by byte, or begins with the last: whatever an app or another proxy might make of
// other targets is the app's.
const (
	scriptPath = "/.devguard/live.js"
	eventsPath = "/.devguard/events"
	pollPath   = "/.devguard/poll.js?" // and KEY.STAMP
)

//go:embed live.js
var liveScript []byte

// reserved answers under devguard's own paths, and reports whether the request was for one.
func (l *live) reserved(w http.ResponseWriter, r *http.Request, private bool) bool {
	query, polls := strings.CutPrefix(r.RequestURI, pollPath)
	if r.RequestURI != scriptPath && r.RequestURI != eventsPath && !polls {
		return false
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case !private || !sameOrigin(r):
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.RequestURI == scriptPath:
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(liveScript)
	case polls:
		l.poll(w, r, query)
	default:
		l.events(w, r)
	}
	return true
}

// private returns whether a request's client may know what is said of the project: one of this
// machine, that asks by a name which no stranger's page can have. remote lets those of other
// machines in.
func private(remote bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return isOwnName(r.Host) && (remote || isLocal(r))
	}
}

// isLocal reports whether a request comes from this machine, by way of proxies on this machine at
// most: a tunnel that runs here brings strangers, and says so.
func isLocal(r *http.Request) bool {
	if !peerOf(r).IsLoopback() || len(r.Header.Values("Forwarded")) > 0 {
		return false
	}
	for _, list := range r.Header.Values("X-Forwarded-For") {
		for one := range strings.SplitSeq(list, ",") {
			ip, err := netip.ParseAddr(strings.TrimSpace(one))
			if err != nil || !ip.Unmap().IsLoopback() {
				return false
			}
		}
	}
	return true
}

// reservedNames are top-level domains that the public DNS does not have (RFC 2606, 6762, 8375;
// ICANN for internal).
var reservedNames = []string{"localhost", "test", "local", "internal", "home.arpa"}

// isOwnName reports whether host is an address, or a name that the public DNS cannot have lead
// here. Any other name may be one that a stranger's page has made lead here, to be of one origin
// with the app (DNS rebinding).
func isOwnName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return false
	}
	return !strings.Contains(name, ".") && !isNumber(name) || slices.ContainsFunc(reservedNames, func(top string) bool { return strings.HasSuffix(name, "."+top) })
}

// isNumber reports whether a browser takes a name for an address: 2130706433, 0x7f000001. Then it
// is not what the Host says.
func isNumber(name string) bool {
	return strings.Trim(name, "0123456789") == "" || strings.HasPrefix(name, "0x")
}

// sameOrigin reports whether a request was made by a page of this origin, or by no page.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Values("Origin"); len(origin) > 1 || len(origin) == 1 && origin[0] != "http://"+r.Host && origin[0] != "https://"+r.Host {
		return false
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}
