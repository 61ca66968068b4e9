package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// Source is what a Server shows and passes on to. Its functions may be called at any time, from
// anywhere.
type Source struct {
	About About // of the devguard that runs
	// Latest returns the newest state, and what is closed when there is a newer one.
	Latest func() (reload.Snapshot, <-chan struct{})
	// CatchUp returns a version of the tree that has in it every write of before the call.
	CatchUp func(context.Context) (version uint64, err error)
	// Restart and Stop return once the wish is in the newest state.
	Restart, Stop func(context.Context) error
	// Listening returns the listening TCP sockets of the app.
	Listening func() []netip.AddrPort
	// Sockets returns how the app's listening sockets stand.
	Sockets func() Sockets
	// Databases returns how the databases stand.
	Databases func() []Database
	// ResetConnections ends the app's database sessions, and returns what was done.
	ResetConnections func(context.Context) []Reset
	Journal          *Journal
	// Kept is what the run before has kept for this one; the zero value: nothing.
	Kept Kept
}

// The bounds of a request: a client of ours is done with its headers and body in milliseconds.
const (
	headerTime = 5 * time.Second
	bodyTime   = 10 * time.Second
	maxHeaders = 16 << 10
)

// Server answers at one loopback address, from Open until Close.
type Server struct {
	source  Source
	pass    *pass
	http    *http.Server
	url     string
	token   string
	streams chan struct{} // a place for each event stream, and for each caller who waits
	port    uint16
	served  chan struct{} // closed when nothing is served any more
}

// Open listens at addr, an address of loopback; port 0 means that of the run before if it is free,
// else any.
func Open(addr string, source Source) (*Server, error) { return open(addr, source, bodyTime) }

func open(addr string, source Source, bodyTime time.Duration) (*Server, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, logline.WithHint(fmt.Errorf("%q is no loopback address to be asked at", addr), `write one like "127.0.0.1:0"`)
	}
	l, err := listenAt(at, source.Kept.Port)
	if err != nil {
		return nil, logline.WithHint(fmt.Errorf("listen for questions about this devguard: %w", err), `"127.0.0.1:0" takes a port that is free`)
	}
	s := &Server{
		source: source, url: "http://" + l.Addr().String(), port: uint16(l.Addr().(*net.TCPAddr).Port), token: rand.Text(),
		streams: make(chan struct{}, maxStreams), served: make(chan struct{}),
	}
	s.pass = newPass(s.token, source.Kept.Key, s.port)
	a := access{token: s.token, port: s.port}
	s.http = &http.Server{
		Handler: a.guard(s.withoutSecret, s.routes()), ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, MaxHeaderBytes: maxHeaders,
		ErrorLog: log.New(io.Discard, "", 0), // what strangers send is no news
	}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // ends by Close
	}()
	return s, nil
}

// listenAt listens at an address, at the port of the run before if any will do: pages that are open
// find this run there.
func listenAt(at netip.AddrPort, before uint16) (net.Listener, error) {
	if at.Port() == 0 && before != 0 {
		if l, err := net.Listen("tcp", netip.AddrPortFrom(at.Addr(), before).String()); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", at.String())
}

// URL is where the Server answers.
func (s *Server) URL() string { return s.url }

// Token is the secret that it wants to hear.
func (s *Server) Token() string { return s.token }

// Close lets answers that are under way finish, for a second, and ends all connections.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.http.Shutdown(ctx) // what has not ended by then
	_ = s.http.Close()       // is cut off
	<-s.served
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("GET /v1/wait", s.wait)
	mux.HandleFunc("POST /v1/restart", wish(s.source.Restart))
	mux.HandleFunc("POST /v1/stop", wish(s.source.Stop))
	mux.HandleFunc("POST /v1/reset-connections", s.reset)
	mux.HandleFunc("POST /api/debug/reset-db", s.reset)
	mux.HandleFunc("POST /v1/page", s.page)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// wish passes on what the caller wants of devguard.
func wish(do func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, Problem{err.Error(), logline.HintOf(err)})
			return
		}
		answer(w, http.StatusAccepted, struct{}{})
	}
}

func (s *Server) reset(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, Resets{Schema, list(s.source.ResetConnections(r.Context()))})
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	snap, _ := s.source.Latest()
	answer(w, http.StatusOK, s.statusOf(snap))
}

// Problem is why there is no other answer.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a caller who has gone wants none
}

// list is an empty list for nil: in JSON both are lists then.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
