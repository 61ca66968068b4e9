package ready

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// attempt is how long the first attempt may take; every attempt that timed out
// doubles it. A request that the app has accepted is worth waiting for: the
// kernel takes connections before the app does, and a health check may wait for
// a database. The bound is for connections that the app has lost.
const attempt = 2 * time.Second

// httpCheck asks for a URL until the status is 2xx or 3xx. A redirect counts
// (to a login page, to https) and is not followed: the server has answered.
type httpCheck struct {
	url    *url.URL
	client *http.Client
	limit  time.Duration // of one attempt

	untaken func(host, port string) bool

	// For a path: where to ask.
	listening func() []netip.AddrPort
	first     []netip.AddrPort
}

func newHTTPCheck(raw string, target Target) (*httpCheck, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error repeats the whole URL, with its password.
		return nil, fmt.Errorf("ready.http is not a URL: %w", errors.Unwrap(err))
	}
	c := &httpCheck{url: u, limit: attempt, untaken: target.untaken}
	switch {
	case strings.HasPrefix(raw, "/") && u.Host == "":
		c.listening = target.Listening
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
	default:
		return nil, logline.WithHint(fmt.Errorf("ready.http = %q is neither a path nor a full URL", u.Redacted()),
			"write a path that starts with /, or a URL with http:// or https://")
	}
	c.client = client(isLoopback(u.Hostname()), target.Dial)
	return c, nil
}

// client makes a client that does what the URL says and nothing else. The
// certificate of a development server on this machine is usually self-signed.
func client(selfSigned bool, dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:        dial,
			DisableKeepAlives:  true,
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: selfSigned},
		},
	}
}

// isLoopback reports whether the host is this machine by its name alone.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

func (c *httpCheck) rule() string { return "http" }

func (c *httpCheck) look(ctx context.Context) look {
	if c.listening == nil {
		if c.untaken(c.url.Hostname(), portOf(c.url)) {
			return look{awaited: "GET " + c.url.Redacted(), last: notListening}
		}
		return c.ask(ctx, c.url, nil)
	}
	now := c.listening()
	if len(now) == 0 {
		return look{awaited: "GET " + c.url.RequestURI(), last: "no listening socket"}
	}
	c.first = firstSockets(c.first, now)
	var l look
	for i, socket := range c.first {
		u := *c.url
		u.Scheme, u.Host = "http", net.JoinHostPort("localhost", strconv.Itoa(int(socket.Port())))
		if got := c.ask(ctx, &u, osproc.Reachable(socket)); got.ok || i == 0 {
			l = got
		}
		if l.ok {
			break
		}
	}
	return l
}

// portOf is the port that a URL leads to.
func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// ask makes one request, to the first of the addresses that takes a connection,
// or to the URL's own host when there are none.
func (c *httpCheck) ask(ctx context.Context, u *url.URL, at []netip.AddrPort) look {
	l := look{awaited: "GET " + u.Redacted()}
	if len(at) > 0 {
		l.awaited = fmt.Sprintf("GET %s on %s", u.RequestURI(), at[0])
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		l.last = err.Error()
		return l
	}
	req.Header.Set("User-Agent", "devguard")
	res, err := c.clientFor(at).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			c.limit *= 2
		}
		l.last, l.hint = failure(err)
		return l
	}
	res.Body.Close()
	l.ok = res.StatusCode >= 200 && res.StatusCode < 400
	l.last, l.hint = "status "+strings.TrimSpace(strconv.Itoa(res.StatusCode)+" "+http.StatusText(res.StatusCode)), hint(res.StatusCode)
	return l
}

// clientFor returns a client that connects to the addresses, whatever the URL's
// host is: `localhost` is what the app sees, the socket is what we know.
func (c *httpCheck) clientFor(at []netip.AddrPort) *http.Client {
	if len(at) == 0 {
		return c.client
	}
	transport := c.client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var first error
		for _, a := range at {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.String())
			if err == nil {
				return conn, nil
			}
			if first == nil {
				first = err
			}
		}
		return nil, first
	}
	own := *c.client
	own.Transport = transport
	return &own
}

// failure says what went wrong with a request that got no answer.
func failure(err error) (last, hint string) {
	var certificate *tls.CertificateVerificationError
	var in *url.Error
	switch {
	case errors.As(err, &certificate):
		return certificate.Error(), "devguard accepts an unknown certificate from loopback addresses only"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS", "write http:// instead of https:// in ready.http"
	case errors.Is(err, io.EOF):
		return "connection closed without an answer", ""
	case errors.As(err, &in):
		return reason(in.Err), "" // without the URL, which is named already
	}
	return reason(err), ""
}

// hint says what a status that will not go away by waiting may mean.
func hint(status int) string {
	switch {
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return "the server answers, but not to this path: correct ready.http; if the path is served on another port, write the full URL"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "the path needs a login: name one in ready.http that does not"
	case status == http.StatusBadRequest:
		return "if the server speaks TLS, write the full https:// URL in ready.http"
	case status >= 500:
		return "the server answers, but not well: its own log may say why"
	}
	return ""
}
