package control

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// enter asks to be let in as a page does.
func (f *fake) enter(t *testing.T, authorization string, change ...func(*http.Request)) (code int, in Pass, no notLetIn) {
	t.Helper()
	r := f.request("POST", enterPath)
	r.Header.Set("Origin", f.URL())
	r.Header.Set("Authorization", authorization)
	for _, c := range change {
		c(r)
	}
	code, body := do(t, r)
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &no); err != nil {
		t.Fatal(err)
	}
	if code != 200 && (strings.Contains(body, f.Token()) || strings.Contains(body, f.pass.key)) {
		t.Errorf("%d, with a secret: %s", code, body)
	}
	return code, in, no
}

func (f *fake) code() string {
	_, code, _ := strings.Cut(f.PageURL(), "#")
	return code
}

// TestLetIn: a page is let in by its code once, by the secret, or by a proof that it knows the key.
func TestLetIn(t *testing.T) {
	f := serve(t)
	if url := f.PageURL(); !strings.HasPrefix(url, f.URL()+"/page/#") || strings.Contains(url, f.Token()) || strings.Contains(url, f.pass.key) {
		t.Error(url)
	}
	code := f.code()
	host := strings.TrimPrefix(f.URL(), "http://")
	want := Pass{f.Token(), f.pass.key}
	for _, way := range []string{"Code " + code, "Bearer " + f.Token(), "Proof " + f.pass.proof(host)} {
		if status, in, _ := f.enter(t, way); status != 200 || in != want {
			t.Errorf("%s: %d %+v", way, status, in)
		}
	}
	if status, _, no := f.enter(t, "Code "+code); status != 401 || no.Hint == "" {
		t.Errorf("the code again: %d %+v", status, no)
	}
}

// TestNotLetIn: whoever has none of these is not, and learns of no secret; a code that somebody else
// tries stays good.
func TestNotLetIn(t *testing.T) {
	f := serve(t)
	host := strings.TrimPrefix(f.URL(), "http://")
	late := f.pass.issue(time.Now().Add(-codeTime))
	other := newPass(f.Token(), "another key", f.port)
	other.nonce = f.pass.nonce
	before := f.code()
	for name, c := range map[string]struct {
		way    string
		change func(*http.Request)
		status int
	}{
		"nothing":                {"", func(*http.Request) {}, 401},
		"a wrong code":           {"Code AAAA", func(*http.Request) {}, 401},
		"no code":                {"Code ", func(*http.Request) {}, 401},
		"a late code":            {"Code " + late, func(*http.Request) {}, 401},
		"the code as the secret": {"Bearer " + before, func(*http.Request) {}, 401},
		"the code in the query":  {"", func(r *http.Request) { r.URL.RawQuery = before }, 401},
		"the key as the secret":  {"Bearer " + f.pass.key, func(*http.Request) {}, 401},
		"the key itself":         {"Proof " + f.pass.key, func(*http.Request) {}, 401},
		"another key":            {"Proof " + other.proof(host), func(*http.Request) {}, 401},
		"a proof for elsewhere":  {"Proof " + f.pass.proof("127.0.0.1:1"), func(*http.Request) {}, 401},
		"a cookie":               {"", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "devguard", Value: f.Token()}) }, 401},
		"a foreign Host":         {"Code " + before, func(r *http.Request) { r.Host = "evil.example" }, 403},
		"a foreign Origin":       {"Code " + before, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		"another port":           {"Code " + before, func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:3000") }, 403},
		"a large body":           {"Code " + before, func(r *http.Request) { setBody(r, strings.Repeat("x", maxBody+1), true) }, 413},
		"GET":                    {"Code " + before, func(r *http.Request) { r.Method = "GET" }, 401},
	} {
		if status, in, _ := f.enter(t, c.way, c.change); status != c.status || in != (Pass{}) {
			t.Errorf("%s: %d %+v", name, status, in)
		}
	}
	is := f.pass.mine
	f.pass.mine = func(string) bool { return false }
	if status, _, _ := f.enter(t, "Code "+before); status != 401 {
		t.Errorf("another user: %d", status)
	}
	f.pass.mine = is
	if status, _, _ := f.enter(t, "Code "+before); status != 200 {
		t.Errorf("then the user: %d", status)
	}
	if out := f.out.String(); out != "" || f.wishes() != "0 0 0" {
		t.Errorf("%s, and it was logged: %s", f.wishes(), out)
	}
	if lines, _, _ := f.source.Journal.after(0); len(lines) != 0 {
		t.Errorf("it was logged: %+v", lines)
	}
}

// TestCodesAreFew: codes that nobody uses make room.
func TestCodesAreFew(t *testing.T) {
	f := serve(t)
	first := f.code()
	var last string
	for range maxCodes {
		last = f.code()
	}
	if len(f.pass.codes) != maxCodes {
		t.Errorf("%d codes", len(f.pass.codes))
	}
	if status, _, _ := f.enter(t, "Code "+first); status != 401 {
		t.Errorf("the first: %d", status)
	}
	if status, _, _ := f.enter(t, "Code "+last); status != 200 {
		t.Errorf("the last: %d", status)
	}
}

// TestNextRun: a page goes on with the next run of the project, which is at the same port if that is
// free, and has another secret.
func TestNextRun(t *testing.T) {
	first := serve(t)
	_, page, _ := first.enter(t, "Code "+first.code())
	_, _, old := first.enter(t, "")
	first.Close()
	next := serveNext(t, first.Kept())
	if next.URL() != first.URL() || next.Token() == page.Token {
		t.Errorf("%s after %s", next.URL(), first.URL())
	}
	host := strings.TrimPrefix(next.URL(), "http://")
	status, _, no := next.enter(t, "Bearer "+page.Token)
	if status != 401 || no.Nonce == "" || no.Nonce == old.Nonce {
		t.Errorf("the secret of the run before: %d %+v", status, no)
	}
	p := pass{key: page.Key, nonce: old.Nonce}
	if status, _, _ := next.enter(t, "Proof "+p.proof(host)); status != 401 {
		t.Errorf("the proof for the run before: %d", status)
	}
	p.nonce = no.Nonce
	if status, in, _ := next.enter(t, "Proof "+p.proof(host)); status != 200 || in != (Pass{next.Token(), page.Key}) {
		t.Errorf("%d %+v", status, in)
	}
	beside := serveNext(t, next.Kept())
	if beside.URL() == next.URL() {
		t.Error("two runs at one port")
	}
	if status, _, no := beside.enter(t, "Proof "+p.proof(host)); status != 401 || no.Nonce == p.nonce {
		t.Errorf("a proof that somebody has passed on: %d", status)
	}
}
