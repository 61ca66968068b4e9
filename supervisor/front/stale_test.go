package front

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSaveWhileAPageIsMade: a page that was asked for before a save is of the time before, whenever it comes, and
// whoever writes it in the end: it is told of the save then.
func TestSaveWhileAPageIsMade(t *testing.T) {
	for path, status := range map[string]int{"/": 200, "/lost": 502} {
		w := newWait()
		a := serve(t, func(rw http.ResponseWriter, r *http.Request) {
			w.stay(r.Context())
			if r.URL.Path == "/lost" {
				panic(http.ErrAbortHandler)
			}
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, page)
		})
		f := before(t, a)
		got, before := make(chan string, 1), f.tag("GET", freely)
		go func() {
			res, text := browse(t, f, path, nil)
			got <- fmt.Sprint(res.StatusCode, " ", text)
		}()
		after(t, w.in, "the request")
		f.Reload()
		f.Restyle()
		w.out <- struct{}{}
		if text := after(t, got, "the page"); !strings.HasPrefix(text, fmt.Sprint(status)) || !strings.Contains(text, before) {
			t.Errorf("%s: %q is not in %q", path, before, text)
		}
	}
}

// TestUnchangedPage: a page whose file is as it was comes whole all the same, with the script of now, and what is no
// page does not.
func TestUnchangedPage(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"index.html", "app.js"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := before(t, serve(t, http.FileServer(http.Dir(dir)).ServeHTTP))
	later := func(r *http.Request) {
		r.Header.Set("If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		r.Header.Set("If-None-Match", "*")
	}
	f.Reload()
	res, got := browse(t, f, "/", later)
	if want := strings.Replace(page, "<head>", "<head>"+f.tag("GET", freely), 1); got != want || res.StatusCode != 200 {
		t.Errorf("%s\n got %q\nwant %q", res.Status, got, want)
	}
	res, _ = browse(t, f, "/app.js", func(r *http.Request) { later(r); r.Header.Set("Sec-Fetch-Dest", "script") })
	if res.StatusCode != 304 {
		t.Errorf("a script that is no other: %s", res.Status)
	}
}

// TestLateGeneration: pages reload once a generation that was not ready in time answers, and are told no longer that
// it is not; the page that it has answered is of that state already.
func TestLateGeneration(t *testing.T) {
	one := serve(t, func(http.ResponseWriter, *http.Request) {})
	two := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/busy" {
			w.WriteHeader(503)
		}
		_, _ = io.WriteString(w, page)
	})
	f := before(t, one)
	w := watch(t, f)
	first := w.next()
	f.Stopping(1)
	f.Ended(1)
	f.Started(2, two.at())
	f.NotReady(2, "nobody listens")
	f.Show([]Problem{{Title: "the build failed"}, {Title: "the app is not ready", NotReady: 2}})
	if s := w.next(); len(s.Problems) != 2 || s.At != first.At {
		t.Errorf("not ready in time: %+v", s)
	}
	browse(t, f, "/busy", nil)
	if s, _ := f.live.now(); s.At != first.At {
		t.Errorf("an app that says itself that it is not ready: %+v", s)
	}
	_, got := browse(t, f, "/", nil)
	late := w.next()
	if late.At == first.At || len(late.Problems) != 1 {
		t.Errorf("once it has answered: %+v", late)
	}
	if tag := f.live.tag(late, "GET", freely); !strings.Contains(got, tag) {
		t.Errorf("%q is not in %q", tag, got)
	}
	browse(t, f, "/", nil)
	f.Ready(2)
	if s, _ := f.live.now(); s.Stamp != late.Stamp {
		t.Errorf("pages are told again: %+v, after %+v", s, late)
	}
	f.Show([]Problem{{Title: "the app is not ready", NotReady: 2}})
	if s := w.next(); len(s.Problems) > 0 {
		t.Errorf("told later than it has answered: %+v", s)
	}
}
