package control

import (
	"io/fs"
	"net/http"
	"strings"
	"testing"
)

// TestPageFiles: the files of the page are answered without the secret, have none in them, and say
// what a browser may do with them.
func TestPageFiles(t *testing.T) {
	f := serve(t)
	names, err := fs.Glob(pageFiles, "page/*")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range append(names, "page/") {
		r, _ := http.NewRequest("GET", f.URL()+"/"+name, nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("Content-Type") == "" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || len(h.Values("Set-Cookie")) > 0 ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, h)
		}
		policy := h.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, rule) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %s", name, policy)
			}
		}
	}
}

// TestOnlyPageFiles: what else leads below /page/ wants the secret like everything, and foreign pages
// get nothing.
func TestOnlyPageFiles(t *testing.T) {
	f := serve(t)
	for _, c := range []struct {
		method, path string
		change       func(*http.Request)
		code         int
	}{
		{"GET", "/page/nothing.js", func(*http.Request) {}, 401},
		{"GET", "/page/../v1/status", func(*http.Request) {}, 401},
		{"GET", "/page/page/../../page.go", func(*http.Request) {}, 401},
		{"GET", "/page", func(*http.Request) {}, 401},
		{"POST", "/page/", func(*http.Request) {}, 401},
		{"GET", "/page/", func(r *http.Request) { r.Host = "evil.example" }, 403},
		{"GET", "/page/page.js", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
	} {
		r := f.request(c.method, c.path)
		r.Header.Del("Authorization")
		c.change(r)
		if code, body := do(t, r); code != c.code || strings.Contains(body, "<html") {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
}

// TestNoMarkupOfText: the scripts of the page make no markup of text, and load nothing from elsewhere.
func TestNoMarkupOfText(t *testing.T) {
	names, _ := fs.Glob(pageFiles, "page/*")
	for _, name := range names {
		text, err := pageFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 500 {
			t.Errorf("%s has %d lines", name, lines)
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "style=\"", "https://", "onclick="} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}

// TestPageAddress: whoever knows the secret is given an address that opens the page once.
func TestPageAddress(t *testing.T) {
	f := serve(t)
	code, body := do(t, f.request("POST", "/v1/page"))
	_, rest, found := strings.Cut(body, f.URL()+"/page/#")
	ticket, _, _ := strings.Cut(rest, `"`)
	if code != 200 || !found {
		t.Fatalf("%d %s", code, body)
	}
	if status, in, _ := f.enter(t, "Code "+ticket); status != 200 || in.Token != f.Token() {
		t.Errorf("%d", status)
	}
}
