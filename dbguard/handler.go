package dbguard

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// resetPause is between the end of a reset by hand and the next: enough for a person
// or a script, and a page that asks in a loop does not keep the pool empty. A guess.
const resetPause = 500 * time.Millisecond

// resetLimit bounds one reset by hand, so that somebody who waits hears of a database
// that is silent.
const resetLimit = 5 * time.Second

// ResetOptions says where a [ResetHandler] works, and for whom. The zero value is for
// development under devguard, from the same machine.
type ResetOptions struct {
	// Development has the handler work although DEVGUARD is not 1. Never set it to
	// true in production.
	Development bool
	// Token lets in whoever sends it ("Authorization: Bearer TOKEN") from another
	// machine; "" lets in none.
	Token string `json:"-"`
}

// ResetAnswer is the JSON that a [ResetHandler] answers.
type ResetAnswer struct {
	Reset       bool    `json:"reset"`           // the database has answered on a new connection
	Connections int     `json:"connections"`     // closed at once
	InUse       int     `json:"in_use"`          // replaced when they come back to the pool
	Millis      float64 `json:"ms"`              // how long it took
	Error       string  `json:"error,omitempty"` // why it was refused or did not work, in a sentence
}

// ResetHandler calls [Reset] for POST /api/debug/reset-db, or wherever it is mounted,
// for the hand of a developer:
//
//	curl -X POST http://127.0.0.1:8080/api/debug/reset-db
//
// It answers a [ResetAnswer] with 200, or with 503 when the database does not answer
// on a new connection within 5 seconds. It refuses, and then touches nothing:
//
//   - everything with 404, unless DEVGUARD is 1 in the environment, as it is under
//     devguard, or [ResetOptions] say that this is development;
//   - 405: another method than POST;
//   - 403: a Host that is neither localhost nor an IP address (a name may be anybody's:
//     DNS rebinding), and an Origin that is not that Host, so that no web page of
//     somebody else's can ask through the developer's browser;
//   - 401: a peer on another machine without the token. So is whoever comes through a
//     proxy that says so (X-Forwarded-For, Forwarded); one that does not makes all its
//     clients local, so do not mount this behind such a proxy;
//   - 429, with Retry-After: another reset is under way or ended less than half a
//     second ago.
func ResetHandler(pool *pgxpool.Pool, opts ResetOptions) http.Handler {
	if !opts.Development && os.Getenv("DEVGUARD") != "1" {
		return http.NotFoundHandler()
	}
	return &resetHandler{pool: pool, token: opts.Token, pause: resetPause}
}

type resetHandler struct {
	pool  *pgxpool.Pool
	token string
	pause time.Duration

	running sync.Mutex // held for the length of a reset
	ended   time.Time  // guarded by running
}

// ServeHTTP resets, or says why not.
func (h *resetHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, why := h.refusal(r); why != "" {
		refuse(w, status, why)
		return
	}
	if !h.running.TryLock() {
		refuse(w, http.StatusTooManyRequests, "a reset is under way")
		return
	}
	defer h.running.Unlock()
	if !h.ended.IsZero() && time.Since(h.ended) < h.pause {
		refuse(w, http.StatusTooManyRequests, "the last reset has only just ended")
		return
	}
	status, answer := h.reset(r.Context())
	h.ended = time.Now()
	answerJSON(w, status, answer)
}

func (h *resetHandler) reset(ctx context.Context) (int, ResetAnswer) {
	ctx, cancel := context.WithTimeout(ctx, resetLimit)
	defer cancel()
	began := time.Now()
	closed, inUse, err := reset(ctx, h.pool)
	answer := ResetAnswer{Reset: err == nil, Connections: closed, InUse: inUse, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		answer.Error = err.Error()
		return http.StatusServiceUnavailable, answer
	}
	return http.StatusOK, answer
}

// refusal returns why a request is refused, "" when it is not.
func (h *resetHandler) refusal(r *http.Request) (status int, why string) {
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "only POST resets"
	case !localName(r.Host):
		return http.StatusForbidden, "the Host is neither localhost nor an IP address"
	case !sameOrigin(r):
		return http.StatusForbidden, "the Origin is not this server"
	case !local(r) && !h.knows(r.Header.Get("Authorization")):
		return http.StatusUnauthorized, "from another machine this needs the token"
	}
	return 0, ""
}

// localName reports whether a Host cannot be a name that somebody else has pointed at
// this machine.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	_, err := netip.ParseAddr(host)
	return err == nil || strings.EqualFold(host, "localhost")
}

// sameOrigin reports whether a request comes from a page of this server, or from no
// page at all. Behind a proxy that speaks TLS the scheme is not ours to know.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return r.Header.Get("Sec-Fetch-Site") != "cross-site"
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && (u.Scheme == "http" || u.Scheme == "https") &&
		u.User == nil && strings.EqualFold(origins[0], u.Scheme+"://"+r.Host)
}

// local reports whether a request comes from this machine, as far as one can tell.
func local(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	proxied := r.Header.Get("Forwarded") != "" || len(r.Header.Values("X-Forwarded-For")) > 0
	return err == nil && peer.Addr().Unmap().IsLoopback() && !proxied
}

// knows compares in constant time, whatever the lengths.
func (h *resetHandler) knows(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(h.token))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && h.token != "" && strings.EqualFold(scheme, "Bearer")
}

func refuse(w http.ResponseWriter, status int, why string) {
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1") // second, of which there are no parts
	}
	answerJSON(w, status, ResetAnswer{Error: why})
}

func answerJSON(w http.ResponseWriter, status int, answer ResetAnswer) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an error is a client that went away
}
