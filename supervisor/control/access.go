package control

import (
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// refusal is why a request is not answered.
type refusal struct {
	code      int
	msg, hint string
}

// access lets requests through that somebody makes who may.
type access struct {
	token string
	port  uint16
}

// check returns why a request is refused; nil when it is not. Where it comes from is looked at
// first: a foreign page learns nothing of the secret.
func (a access) check(r *http.Request) *refusal {
	if no := a.checkPlace(r); no != nil {
		return no
	}
	if !a.knows(r.Header.Get("Authorization")) {
		return &refusal{http.StatusUnauthorized, "the secret of this run is missing or wrong", "send Authorization: Bearer with the token of control.json"}
	}
	return nil
}

// checkPlace looks at where a request was sent to, and which page it comes from.
func (a access) checkPlace(r *http.Request) *refusal {
	switch {
	case !a.ours(r.Host):
		return &refusal{http.StatusForbidden, "the Host of the request is not this server", "use the URL of control.json"}
	case len(r.Header.Values("Origin")) > 0 && r.Header.Get("Origin") != "http://"+r.Host:
		return &refusal{http.StatusForbidden, "requests of web pages are refused", ""}
	}
	return nil
}

// ours reports whether host is a loopback address, or localhost, with our port. Any other name may
// be one that a foreign page has made lead here.
func (a access) ours(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil || port != strconv.Itoa(int(a.port)) {
		return false
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback() && ip.Zone() == ""
}

func (a access) knows(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1
}

// maxBody bounds the body of a request, in bytes. None is needed.
const maxBody = 4096

// readBody takes the body of a request, so that nothing is done before all of it is there.
func readBody(w http.ResponseWriter, r *http.Request) *refusal {
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &refusal{http.StatusRequestEntityTooLarge, "the body is too large", "send none"}
	case err != nil:
		return &refusal{http.StatusRequestTimeout, "the body did not arrive", "send none"}
	}
	return nil
}

// guard wraps what is answered to those who may ask. open returns what is answered to those who do
// not have the secret (yet), nil for any other request.
func (a access) guard(open func(*http.Request) http.Handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		check, next := a.check, next
		if free := open(r); free != nil {
			check, next = a.checkPlace, free
		}
		no := check(r)
		if no == nil {
			no = readBody(w, r)
		}
		if no != nil {
			no.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (no *refusal) write(w http.ResponseWriter) {
	if no.code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	answer(w, no.code, Problem{no.msg, no.hint})
}
