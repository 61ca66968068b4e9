package front

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/devguard/devguard/supervisor/gate"
)

// refusal is what a client is told that gets no answer of the app.
type refusal struct {
	status int
	text   string
	detail string // for this machine alone
}

func refusalOf(f *failure) refusal {
	r := refusal{status: http.StatusServiceUnavailable, detail: f.Reason}
	switch f.Cause {
	case gate.Down:
		r.text = "the app does not run"
	case gate.Crashed:
		r.text = "the app has crashed"
	case gate.Held:
		r.text = "the app was not ready in time"
	case gate.NotReady:
		r.text = "the app is not ready"
	case gate.Closing:
		r.text = "devguard ends"
	case gate.Refused:
		r.status, r.text = http.StatusBadGateway, "the app takes no connection"
	case gate.Lost:
		r.status, r.text = http.StatusBadGateway, "the app has ended the connection without an answer"
	default:
		r.status, r.text = http.StatusBadGateway, "the app's answer cannot be passed on"
	}
	if r.detail == "" && f.err != nil {
		r.detail = f.err.Error()
	}
	return r
}

// refuse answers in the app's place.
func (x *proxy) refuse(w http.ResponseWriter, r *http.Request, f *failure) {
	no, a := refusalOf(f), answerOf(r)
	if !a.private {
		no.detail = ""
	}
	h, nonce := w.Header(), rand.Text()
	clear(h)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'nonce-"+nonce+"'; frame-ancestors 'none'")
	if no.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	switch {
	case wantsJSON(r):
		h.Set("Content-Type", "application/json")
		w.WriteHeader(no.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "devguard: " + no.text, "detail": no.detail})
	case a.page:
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(no.status)
		x.live.writePage(w, no, a.of, r.Method, nonce)
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(no.status)
		_, _ = io.WriteString(w, strings.TrimRight("devguard: "+no.text+"\n"+no.detail, "\n")+"\n")
	}
}

// wantsJSON reports whether the client asks for JSON, and for no page.
func wantsJSON(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
