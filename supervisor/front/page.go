package front

import (
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/devguard/devguard/supervisor/inject"
)

// wantsPage reports whether a request is for what a browser shows as a document of its own.
// Browsers say so, where the origin is worth it to them (this machine, HTTPS).
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost || r.Header.Get("Range") != "" || r.Header.Get("Upgrade") != "" {
		return false
	}
	// Libraries that put what they get into a page that is there.
	for _, name := range []string{"Hx-Request", "Turbo-Frame", "X-Pjax", "X-Up-Version", "X-Requested-With", "X-Inertia", "Datastar-Request"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document"
	}
	return strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html")
}

// isPage reports whether an answer is a document that a script may be put into.
func isPage(res *http.Response) bool {
	h := res.Header
	switch {
	case res.StatusCode < 200, res.StatusCode >= 300 && res.StatusCode < 400,
		res.StatusCode == http.StatusNoContent, res.StatusCode == http.StatusResetContent, res.StatusCode == http.StatusPartialContent:
		return false
	}
	// What is checked against the bytes, or must not be changed, stays as it is.
	for _, name := range []string{"Content-Range", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Signature"} {
		if h.Get(name) != "" {
			return false
		}
	}
	if strings.Contains(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), "no-transform") {
		return false
	}
	if disposition, _, _ := mime.ParseMediaType(h.Get("Content-Disposition")); disposition == "attachment" {
		return false
	}
	return isHTML(h.Get("Content-Type")) && len(h.Values("Content-Encoding")) <= 1
}

// isHTML reports whether a type is HTML in a charset that has ASCII as it is.
func isHTML(contentType string) bool {
	t, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	return err == nil && t == "text/html" && !strings.HasPrefix(charset, "utf-16") && !strings.HasPrefix(charset, "utf-32") &&
		!strings.HasPrefix(charset, "utf-7") && !strings.HasPrefix(charset, "ucs") && !strings.HasPrefix(charset, "iso-2022") && charset != "hz-gb-2312"
}

// tag is the script element of a page of that state that was asked for by that method.
func (l *live) tag(s state, method string, policy inject.Policy) string {
	attributes := ""
	if policy.Nonce != "" {
		attributes += fmt.Sprintf(" nonce=%q", policy.Nonce)
	}
	if !policy.Connects {
		attributes += " data-polls"
	}
	return fmt.Sprintf(`<script src="%s" data-at="%s" data-css="%s" data-key="%s" data-method="%s"%s async></script>`,
		scriptPath, s.At, s.CSS, l.key, html.EscapeString(method), attributes)
}

// freely is the policy of a page that has none.
var freely = inject.Policy{Runs: true, Connects: true}

// addScript puts the script into an answer that is a page, if its policy allows that.
func (l *live) addScript(res *http.Response) {
	policy := inject.PolicyOf(res.Header.Values("Content-Security-Policy"))
	if !isPage(res) || !policy.Runs {
		return
	}
	plain, known := inject.Decoded(res.Body, res.Header.Get("Content-Encoding"))
	if !known {
		return
	}
	res.Body = inject.Document(plain, l.tag(answerOf(res.Request).of, res.Request.Method, policy))
	res.ContentLength = -1
	// The last three are of the app's bytes. Last-Modified alone lets a browser keep a page for days without asking.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Accept-Ranges"} {
		res.Header.Del(name)
	}
}

// writePage is the page in the place of the app's. It reloads by itself when the app is ready, and
// shows what has failed; without scripts it is text.
func (l *live) writePage(w io.Writer, no refusal, of state, method, nonce string) {
	s, _ := l.now()
	var text strings.Builder
	text.WriteString(no.text)
	if no.detail != "" && len(s.Problems) == 0 { // these say the same, and more
		text.WriteString("\n\n" + no.detail)
	}
	for _, p := range s.Problems {
		text.WriteString("\n\n" + p.plain())
	}
	fmt.Fprintf(w, `<!doctype html>
<html lang="en"><head>%s<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>devguard: %s</title>
<style nonce="%s">body{background:#141418;color:#eee;font:14px/1.5 ui-monospace,Menlo,Consolas,monospace;padding:4vh 5vw}pre{white-space:pre-wrap}</style></head>
<body><pre>devguard: %s</pre></body></html>
`, l.tag(of, method, freely), html.EscapeString(no.text), nonce, html.EscapeString(text.String()))
}
