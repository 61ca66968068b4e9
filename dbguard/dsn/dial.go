package dsn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// addresses are the dial addresses that hostaddr gives to names of hosts, for
// pgconn, which knows no hostaddr: each "address" or "address:port".
type addresses map[string][]string

// takeAddresses takes hostaddr out of values. The host keeps its place for SNI
// and verify-full; where there is none, or it is a socket directory, the
// address itself becomes the host, as in libpq.
func takeAddresses(values map[string]string) (addresses, error) {
	list := values["hostaddr"]
	delete(values, "hostaddr")
	if list == "" {
		return nil, nil
	}
	addrs := strings.Split(list, ",")
	hosts := make([]string, len(addrs))
	if values["host"] != "" {
		hosts = strings.Split(values["host"], ",")
	}
	if len(hosts) != len(addrs) {
		return nil, fmt.Errorf("could not match %d host names to %d hostaddr values", len(hosts), len(addrs))
	}
	ports := strings.Split(values["port"], ",")
	dial := addresses{}
	for i, addr := range addrs {
		if addr == "" {
			continue
		}
		if _, err := netip.ParseAddr(addr); err != nil {
			return nil, errors.New("a hostaddr is not an IP address")
		}
		if network, _ := pgconn.NetworkAddress(hosts[i], 1); hosts[i] == "" || network == "unix" {
			hosts[i] = addr
		}
		to := addr
		if len(ports) == len(addrs) && ports[i] != "" { // the same name may stand for several
			to = net.JoinHostPort(addr, ports[i])
		}
		dial[hosts[i]] = append(dial[hosts[i]], to)
	}
	values["host"] = strings.Join(hosts, ",")
	return dial, nil
}

// around returns a lookup that answers from d first.
func (d addresses) around(next pgconn.LookupFunc) pgconn.LookupFunc {
	return func(ctx context.Context, host string) ([]string, error) {
		if to := d[host]; len(to) > 0 {
			return to, nil
		}
		return next(ctx, host)
	}
}

// keepAlive returns what the keepalives options ask for, nil when there are
// none. What they leave open is the system's default, as in libpq, not Go's.
func keepAlive(values map[string]string) (*net.KeepAliveConfig, error) {
	c := &net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}
	asked := false
	for _, o := range []struct {
		key string
		set func(n int)
	}{
		{"keepalives", func(n int) { c.Enable = n != 0 }},
		{"keepalives_idle", func(n int) { c.Idle = seconds(n) }},
		{"keepalives_interval", func(n int) { c.Interval = seconds(n) }},
		{"keepalives_count", func(n int) { c.Count = orDefault(n) }},
	} {
		if values[o.key] == "" {
			continue
		}
		n, err := strconv.ParseInt(values[o.key], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s is not a number", o.key)
		}
		asked = true
		o.set(int(n))
	}
	if !asked {
		return nil, nil
	}
	return c, nil
}

func seconds(n int) time.Duration {
	if n <= 0 {
		return -1
	}
	return time.Duration(n) * time.Second
}

func orDefault(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// dialer returns a dialer with keep, which pgconn has no option for.
func dialer(timeout time.Duration, keep net.KeepAliveConfig) pgconn.DialFunc {
	d := &net.Dialer{Timeout: timeout, KeepAliveConfig: keep}
	if !keep.Enable {
		d.KeepAlive = -1 // a disabled KeepAliveConfig means Go's default
	}
	return d.DialContext
}

// routing returns the words of `options` that may be for a hosted server's
// front end (endpoint=..., reference=..., --cluster=...) rather than settings
// of the session: those apart from "-c name=value".
func routing(options string) string {
	var kept []string
	words := splitOptions(options)
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "-c":
			i++ // with its name=value
		case strings.HasPrefix(words[i], "-c"):
		default:
			kept = append(kept, words[i])
		}
	}
	return strings.Join(kept, " ")
}

// splitOptions splits as the server does: at blanks that no backslash escapes.
func splitOptions(options string) []string {
	var words []string
	start, escaped := -1, false
	for i := range len(options) {
		blank := !escaped && strings.IndexByte(spaces, options[i]) >= 0
		escaped = !escaped && options[i] == '\\'
		if blank && start >= 0 {
			words = append(words, options[start:i])
			start = -1
		} else if !blank && start < 0 {
			start = i
		}
	}
	if start >= 0 {
		words = append(words, options[start:])
	}
	return words
}
