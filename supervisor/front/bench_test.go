package front

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkFront compares requests to an app with the same by way of the front.
func BenchmarkFront(b *testing.B) {
	body := strings.Repeat("x", 1024)
	a := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, body)
	})
	f := before(b, a)
	for _, to := range []struct{ name, url string }{{"direct", "http://" + a.at()}, {"front", f.url("")}} {
		for _, method := range []string{"GET", "POST"} {
			b.Run(method+"/"+to.name, func(b *testing.B) {
				tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: tr}
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						req, _ := http.NewRequest(method, to.url, strings.NewReader(body))
						if method == "GET" {
							req.Body, req.ContentLength = nil, 0
						}
						res, err := c.Do(req)
						if err != nil {
							b.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, res.Body)
						res.Body.Close()
					}
				})
			})
		}
	}
}
