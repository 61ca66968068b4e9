package control

import (
	"embed"
	"net/http"
	"path"
	"strings"
	"time"
)

// pageFiles are the status page. There is nothing of a run in them: whoever may not ask gets an
// empty page.
//
//go:embed page
var pageFiles embed.FS

const (
	pagePath  = "/page/"
	enterPath = "/v1/page/enter"
)

// pagePolicy lets the page load and ask what is ours, and nothing else; no text becomes markup.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageTypes are written out: those of the operating system may be wrong.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// PageURL makes an address that opens the status page once, within two minutes. It is secret.
func (s *Server) PageURL() string { return s.url + pagePath + "#" + s.pass.issue(time.Now()) }

// Kept is what the next run is to be given.
func (s *Server) Kept() Kept { return Kept{s.port, s.pass.key} }

// Page is what POST /v1/page answers.
type Page struct {
	Schema int    `json:"schema"`
	URL    string `json:"url"` // opens the page once, within two minutes
}

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, Page{Schema, s.PageURL()})
}

// withoutSecret returns what answers a request that needs no secret; nil: it needs one.
func (s *Server) withoutSecret(r *http.Request) http.Handler {
	if r.Method == http.MethodPost && r.URL.Path == enterPath {
		return http.HandlerFunc(s.pass.letIn)
	}
	name, text := pageFile(r)
	if text == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writePage(w, name, text) })
}

// pageFile returns the file of the page that is asked for; no text: there is none.
func pageFile(r *http.Request) (name string, text []byte) {
	name, below := strings.CutPrefix(r.URL.Path, pagePath)
	if !below || r.Method != http.MethodGet {
		return "", nil
	}
	if name == "" {
		name = "index.html"
	}
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		return "", nil
	}
	return name, text
}

func writePage(w http.ResponseWriter, name string, text []byte) {
	h := w.Header()
	h.Set("Content-Type", pageTypes[path.Ext(name)])
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(text) // a reader who has gone wants none
}
