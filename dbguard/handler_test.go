package dbguard

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/jackc/pgx/v5/pgxpool"
)

// onNetwork serves h where a client's address is not a loopback one: on another
// address of this machine, or, where it has none, by saying so.
func onNetwork(t *testing.T, h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().IsGlobalUnicast() {
			continue
		}
		if l, err := net.Listen("tcp", netip.AddrPortFrom(p.Addr(), 0).String()); err == nil {
			srv.Listener.Close()
			srv.Listener = l
			srv.Start()
			return srv
		}
	}
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.1:4711"
		h.ServeHTTP(w, r)
	})
	srv.Start()
	return srv
}

// ask sends a request with headers of its own; "HOST" in them is the server's.
func ask(t *testing.T, srv *httptest.Server, method string, headers ...string) (*http.Response, ResetAnswer) {
	t.Helper()
	r, err := http.NewRequestWithContext(testContext(t), method, srv.URL+"/api/debug/reset-db", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		value := strings.ReplaceAll(headers[i+1], "HOST", srv.Listener.Addr().String())
		if headers[i] == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(headers[i], value)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer ResetAnswer
	if method == http.MethodHead {
		return resp, answer
	}
	if resp.Header.Get("Content-Type") == "application/json; charset=utf-8" {
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	} else if resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d without JSON: %s", resp.StatusCode, body)
	}
	return resp, answer
}

const (
	here       = "loopback"
	network    = "another machine"
	production = "production"
)

func TestResetHandlerRefuses(t *testing.T) {
	s := pgtest.Start(t)
	pool, _ := openAt(t, s.URL(pgtest.Conn{}))
	const token = "Bearer 3f7c"
	for _, c := range []struct {
		name, where, method string
		headers             []string
		status              int
	}{
		{"POST", here, "POST", nil, 200},
		{"by localhost", here, "POST", []string{"Host", "localhost:8080"}, 200},
		{"by localhost, no port", here, "POST", []string{"Host", "LocalHost"}, 200},
		{"by an IPv6 address", here, "POST", []string{"Host", "[::1]:80"}, 200},
		{"by an IPv6 address, no port", here, "POST", []string{"Host", "[::1]"}, 200},
		{"of its own page", here, "POST", []string{"Origin", "http://HOST", "Sec-Fetch-Site", "same-origin"}, 200},
		{"GET", here, "GET", nil, 405},
		{"HEAD", here, "HEAD", nil, 405},
		{"OPTIONS", here, "OPTIONS", []string{"Origin", "http://evil.example", "Access-Control-Request-Method", "POST"}, 405},
		{"PUT", here, "PUT", nil, 405},
		{"foreign Host", here, "POST", []string{"Host", "evil.example"}, 403},
		{"foreign Host and its Origin", here, "POST", []string{"Host", "evil.example", "Origin", "http://evil.example"}, 403},
		{"Host below localhost", here, "POST", []string{"Host", "localhost.evil.example:80"}, 403},
		{"Host with a number in it", here, "POST", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"foreign Host with the token", network, "POST", []string{"Host", "evil.example", "Authorization", token}, 403},
		{"foreign Origin", here, "POST", []string{"Origin", "http://evil.example"}, 403},
		{"foreign Origin with the token", network, "POST", []string{"Origin", "http://evil.example", "Authorization", token}, 403},
		{"Origin of another port", here, "POST", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"Origin null", here, "POST", []string{"Origin", "null"}, 403},
		{"Origin that begins well", here, "POST", []string{"Origin", "http://HOST.evil.example"}, 403},
		{"Origin with a user", here, "POST", []string{"Origin", "http://evil@HOST"}, 403},
		{"Origin of a file", here, "POST", []string{"Origin", "file://HOST"}, 403},
		{"two Origins", here, "POST", []string{"Origin", "http://HOST", "Origin", "http://evil.example"}, 403},
		{"no Origin, but of another site", here, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"through a proxy", here, "POST", []string{"X-Forwarded-For", "127.0.0.1"}, 401},
		{"through a modern proxy", here, "POST", []string{"Forwarded", "for=127.0.0.1"}, 401},
		{"through a proxy with the token", here, "POST", []string{"X-Forwarded-For", "192.0.2.1", "Authorization", token}, 200},
		{"network", network, "POST", nil, 401},
		{"network with a wrong token", network, "POST", []string{"Authorization", "Bearer 3f7d"}, 401},
		{"network with a part of the token", network, "POST", []string{"Authorization", "Bearer 3f7"}, 401},
		{"network with an empty token", network, "POST", []string{"Authorization", "Bearer "}, 401},
		{"network with another scheme", network, "POST", []string{"Authorization", "Basic 3f7c"}, 401},
		{"network with the token", network, "POST", []string{"Authorization", token}, 200},
		{"network, GET with the token", network, "GET", []string{"Authorization", token}, 405},
		{"production", production, "POST", nil, 404},
		{"production with the token", production, "POST", []string{"Authorization", token}, 404},
		{"production, GET", production, "GET", nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("DEVGUARD", "")
			h := ResetHandler(pool, ResetOptions{Development: c.where != production, Token: "3f7c"})
			srv := serveAt(t, c.where, h)
			before := Stats().Resets
			resp, answer := ask(t, srv, c.method, c.headers...)
			reset := Stats().Resets - before
			if resp.StatusCode != c.status || (c.status == 200) != (reset == 1) || answer.Reset != (c.status == 200) {
				t.Errorf("status %d, want %d; %d resets; %+v", resp.StatusCode, c.status, reset, answer)
			}
			if got := resp.Header.Get("Allow"); (c.status == 405) != (got == "POST") {
				t.Errorf("Allow is %q", got)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (c.status == 401) != (got == "Bearer") {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		})
	}
}

func serveAt(t *testing.T, where string, h http.Handler) *httptest.Server {
	if where != network {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv
	}
	srv := onNetwork(t, h)
	t.Cleanup(srv.Close)
	return srv
}

// Without a token in the options nobody has one.
func TestResetHandlerWithoutToken(t *testing.T) {
	t.Setenv("DEVGUARD", "1")
	srv := serveAt(t, network, ResetHandler(nil, ResetOptions{}))
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		if resp, _ := ask(t, srv, "POST", "Authorization", authorization); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: status %d", authorization, resp.StatusCode)
		}
	}
}

func TestResetHandlerUnderDevguard(t *testing.T) {
	s := pgtest.Start(t)
	pool, _ := openAt(t, s.URL(pgtest.Conn{}))
	idle, inUse := acquire(t, pool), acquire(t, pool)
	idle.Release()
	defer inUse.Release()
	t.Setenv("DEVGUARD", "1")
	srv := serveAt(t, here, ResetHandler(pool, ResetOptions{}))
	resp, answer := ask(t, srv, "POST")
	if resp.StatusCode != 200 || !answer.Reset || answer.Connections != 1 || answer.InUse != 1 || answer.Millis <= 0 || answer.Error != "" {
		t.Errorf("status %d, %+v", resp.StatusCode, answer)
	}
	mustExec(t, inUse, "select 1")
}

func TestResetHandlerLimitsTheRate(t *testing.T) {
	s := pgtest.Start(t)
	pool, _ := openAt(t, s.URL(pgtest.Conn{}))
	h := &resetHandler{pool: pool, pause: time.Hour}
	srv := serveAt(t, here, h)
	for i, want := range []int{200, 429, 429} {
		resp, answer := ask(t, srv, "POST")
		if resp.StatusCode != want || (want == 429) != (resp.Header.Get("Retry-After") == "1") || (want == 429) != (answer.Error != "") {
			t.Errorf("request %d: status %d, %v, %+v", i, resp.StatusCode, resp.Header, answer)
		}
	}
	h.pause = 0
	if resp, _ := ask(t, srv, "POST"); resp.StatusCode != 200 {
		t.Errorf("status %d after the pause", resp.StatusCode)
	}
	h.running.Lock()
	defer h.running.Unlock()
	if resp, _ := ask(t, srv, "POST"); resp.StatusCode != 429 {
		t.Errorf("status %d while another reset is under way", resp.StatusCode)
	}
}

// The database is down: the answer says so, without the password, and the next reset
// finds it up again.
func TestResetHandlerWithoutDatabase(t *testing.T) {
	s := pgtest.Start(t)
	s.CreateRole(t, "dev", "s3cr3t", "")
	pool, _ := openAt(t, s.URL(pgtest.Conn{User: "dev"}))
	h := &resetHandler{pool: pool}
	srv := serveAt(t, here, h)
	s.Stop(t)
	resp, answer := ask(t, srv, "POST")
	if resp.StatusCode != 503 || answer.Reset || answer.Error == "" || strings.Contains(answer.Error, "s3cr3t") {
		t.Errorf("status %d, %+v", resp.StatusCode, answer)
	}
	s.StartAgain(t)
	if resp, answer := ask(t, srv, "POST"); resp.StatusCode != 200 || !answer.Reset {
		t.Errorf("status %d, %+v", resp.StatusCode, answer)
	}
}

// FuzzResetHandler: what a request says of itself lets nobody in from elsewhere.
func FuzzResetHandler(f *testing.F) {
	f.Add("localhost", "http://localhost", "Bearer 3f7c", "127.0.0.1:1", "")
	f.Add("evil.example", "http://evil.example", "", "[::ffff:127.0.0.1]:1", "127.0.0.1")
	f.Add("[::1", "null", "Bearer", "@", "")
	f.Fuzz(func(t *testing.T, host, origin, authorization, peer, forwarded string) {
		h := &resetHandler{pool: (*pgxpool.Pool)(nil), token: "3f7c"}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host, r.RemoteAddr = host, peer
		r.Header = http.Header{"Origin": {origin}, "Authorization": {authorization}}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		if _, why := h.refusal(r); why != "" {
			return
		}
		if origin != "http://"+host && !strings.EqualFold(origin, "https://"+host) && !strings.EqualFold(origin, "http://"+host) {
			t.Errorf("origin %q at host %q", origin, host)
		}
		name, _, _ := net.SplitHostPort(peer)
		if !strings.HasSuffix(authorization, " 3f7c") && (forwarded != "" || !net.ParseIP(name).IsLoopback()) {
			t.Errorf("peer %q with %q, forwarded %q", peer, authorization, forwarded)
		}
	})
}
