package front

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/devguard/devguard/supervisor/inject"
	"github.com/devguard/devguard/supervisor/testneed"
)

const page = "<!doctype html><html><head><title>x</title></head><body>hello</body></html>"

// browse asks as a browser does for a document.
func browse(t *testing.T, f *Front, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, _ := http.NewRequest("GET", f.url(path), nil)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Accept-Encoding", "gzip, br, zstd")
	req.Header.Set("Sec-Fetch-Dest", "document")
	if change != nil {
		change(req)
	}
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// TestPages: which answers get the script, and that nothing else is changed.
func TestPages(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		ask    func(*http.Request)
		answer http.Header
		status int
		body   string
		nonce  string
		polls  bool
		want   bool
		anew   bool // nothing says whether a copy of it is still good
	}{
		"a page":                        {want: true},
		"an error page":                 {status: 500, want: true},
		"not found":                     {status: 404, want: true},
		"a fragment":                    {body: "<p>x</p>", anew: true},
		"no browser":                    {ask: func(r *http.Request) { r.Header = http.Header{} }},
		"an old browser":                {ask: func(r *http.Request) { r.Header.Del("Sec-Fetch-Dest") }, want: true},
		"fetch":                         {ask: header("Sec-Fetch-Dest", "empty")},
		"a frame":                       {ask: header("Sec-Fetch-Dest", "iframe")},
		"htmx":                          {ask: func(r *http.Request) { r.Header.Del("Sec-Fetch-Dest"); r.Header.Set("HX-Request", "true") }},
		"a part":                        {ask: header("Range", "bytes=0-3")},
		"a name that may be a stranger": {ask: func(r *http.Request) { r.Host = "evil.example" }},
		"through a tunnel":              {ask: header("X-Forwarded-For", "192.0.2.1")},
		"a proxy of this machine":       {ask: header("X-Forwarded-For", "127.0.0.1"), want: true},
		"another type":                  {answer: http.Header{"Content-Type": {"text/plain"}}},
		"no type":                       {answer: http.Header{"Content-Type": nil}},
		"two bytes a character":         {answer: http.Header{"Content-Type": {"text/html; charset=UTF-16LE"}}},
		"latin":                         {answer: http.Header{"Content-Type": {"text/html; charset=iso-8859-1"}}, want: true},
		"a download":                    {answer: http.Header{"Content-Disposition": {`attachment; filename="a.html"`}}},
		"inline":                        {answer: http.Header{"Content-Disposition": {"inline"}}, want: true},
		"with a digest":                 {answer: http.Header{"Repr-Digest": {"sha-256=:x:"}}},
		"not to be changed":             {answer: http.Header{"Cache-Control": {"no-transform"}}},
		"a nonce":                       {answer: http.Header{"Content-Security-Policy": {"script-src 'nonce-abc' 'strict-dynamic'"}}, nonce: "abc", want: true},
		"self":                          {answer: http.Header{"Content-Security-Policy": {"default-src 'self'"}}, want: true},
		"no connections":                {answer: http.Header{"Content-Security-Policy": {"default-src 'none'; script-src 'self'"}}, polls: true, want: true},
		"no scripts":                    {answer: http.Header{"Content-Security-Policy": {"default-src 'none'"}}},
		"an encoding nobody knows":      {answer: http.Header{"Content-Encoding": {"compress"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.body == "" {
				c.body = page
			}
			if c.status == 0 {
				c.status = 200
			}
			var asked http.Header
			a := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				maps.Copy(w.Header(), c.answer)
				w.Header().Set("Etag", `"a"`)
				w.Header().Set("Last-Modified", "Sat, 01 Nov 2025 00:00:00 GMT")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			f := before(t, a)
			res, got := browse(t, f, "/", c.ask)
			want, validators := c.body, []string{`"a"`, "Sat, 01 Nov 2025 00:00:00 GMT"}
			if c.want || c.anew {
				validators = []string{"", ""}
			}
			if c.want {
				want = strings.Replace(page, "<head>", "<head>"+f.tag("GET", inject.Policy{Nonce: c.nonce, Connects: !c.polls}), 1)
			}
			if got != want || res.StatusCode != c.status || !slices.Equal(validators, []string{res.Header.Get("Etag"), res.Header.Get("Last-Modified")}) {
				t.Errorf("status %d, %v\n got %q\nwant %q", res.StatusCode, res.Header, got, want)
			}
			if c.want && asked.Get("Accept-Encoding") != "identity" {
				t.Errorf("the app was asked for %q", asked)
			}
		})
	}
}

// tag is that of a page that is asked for now.
func (f *Front) tag(method string, policy inject.Policy) string {
	s, _ := f.live.now()
	return f.live.tag(s, method, policy)
}

// TestEncodedPage: an app that compresses although it was asked not to.
func TestEncodedPage(t *testing.T) {
	for name, encode := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			e := encode(&b)
			_, _ = io.WriteString(e, page)
			e.Close()
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", name)
			w.Header().Set("Content-Length", fmt.Sprint(b.Len()))
			_, _ = w.Write(b.Bytes())
		})
		f := before(t, a)
		res, got := browse(t, f, "/", nil)
		if want := strings.Replace(page, "<head>", "<head>"+f.tag("GET", freely), 1); got != want || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v\n got %q\nwant %q", name, res.Header, got, want)
		}
	}
}

// watcher is a page that listens.
type watcher struct {
	t *testing.T
	r *bufio.Reader
}

func watch(t *testing.T, f *Front) *watcher {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", f.url(eventsPath), nil)
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(res.Status, res.Header)
	}
	return &watcher{t, bufio.NewReader(res.Body)}
}

// next returns the next state.
func (w *watcher) next() state {
	w.t.Helper()
	for {
		line, err := w.r.ReadString('\n')
		if err != nil {
			w.t.Fatal(err)
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			var s state
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				w.t.Fatal(err)
			}
			return s
		}
	}
}

// TestEvents: a page is told of the next generation once that is ready, of stylesheets, and of what
// has failed.
func TestEvents(t *testing.T) {
	a := serve(t, func(http.ResponseWriter, *http.Request) {})
	f := before(t, a)
	w := watch(t, f)
	first := w.next()
	if first.At == "" || len(first.Problems) > 0 {
		t.Errorf("at first %+v", first)
	}
	f.Restyle()
	if s := w.next(); s.At != first.At || s.CSS == first.CSS {
		t.Errorf("after a change of a stylesheet %+v, before %+v", s, first)
	}
	f.Show([]Problem{{Title: "the build failed", Places: []Place{{Where: "a.go:1:2", Text: "<b>", Line: 1, Source: []Source{{1, "package </script>"}}}}}})
	if s := w.next(); s.At != first.At || len(s.Problems) != 1 || s.Problems[0].Places[0].Source[0].Text != "package </script>" {
		t.Errorf("after a failure %+v", s)
	}
	f.Show(nil)
	if s := w.next(); len(s.Problems) > 0 {
		t.Errorf("after it was mended %+v", s)
	}
	f.Stopping(1)
	f.Ended(1)
	f.Started(2, a.at())
	f.Ready(2)
	second := w.next()
	if second.At == first.At {
		t.Errorf("the next generation is at %q, too", second.At)
	}
	f.Ready(2) // nothing new
	f.Reload()
	if s := w.next(); s.At == second.At {
		t.Error("it does not reload")
	}
	if other := watch(t, open(t)).next(); other.At[:8] == first.At[:8] {
		t.Error("another devguard is not told from this one")
	}
}

// TestPoll: a page that may not open the stream is told the same, as soon as it is another.
func TestPoll(t *testing.T) {
	f := open(t)
	f.Show([]Problem{{Title: "</script><script>alert(1)"}})
	ask := func(stamp int) <-chan string {
		return get(t, f, "GET", fmt.Sprintf("%s%s.%d", pollPath, f.live.key, stamp))
	}
	read := func(got string) (s state) {
		text, ok := strings.CutPrefix(got, `200 document.dispatchEvent(new CustomEvent("devguard", {detail: `)
		text, end := strings.CutSuffix(text, "}));\n"+fine)
		if err := json.Unmarshal([]byte(text), &s); !ok || !end || err != nil || strings.Contains(text, "<") {
			t.Fatalf("%q, %v", got, err)
		}
		return s
	}
	first := read(after(t, ask(-1), "the first state"))
	if len(first.Problems) != 1 || first.Problems[0].Title != "</script><script>alert(1)" {
		t.Errorf("%+v", first)
	}
	next := ask(first.Stamp)
	f.Restyle()
	if s := read(after(t, next, "the next state")); s.CSS == first.CSS || s.At != first.At || s.Stamp == first.Stamp {
		t.Errorf("%+v after %+v", s, first)
	}
}

// TestCloseWithPages: an open page does not hold up the end of devguard.
func TestCloseWithPages(t *testing.T) {
	f, err := Open(Options{Listen: "127.0.0.1:0", Hold: limit, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, f)
	w.next()
	f.Close()
	if _, err := io.ReadAll(w.r); err != nil {
		t.Error(err)
	}
}

// TestDownPage: a browser gets a page, with nothing of the project's text as markup, and comes back
// by itself.
func TestDownPage(t *testing.T) {
	f := open(t)
	f.Show([]Problem{{Title: "the build failed", Places: []Place{{Where: "<i>.go:3:1", Text: "</script><script>alert(1)</script>", Line: 3, Source: []Source{{3, "<img src=x onerror=alert(1)>"}}}}}})
	f.Idle("the app does not run: <script>")
	res, got := browse(t, f, "/", nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(got, f.tag("GET", freely)) {
		t.Errorf("%d %v\n%s", res.StatusCode, res.Header, got)
	}
	for _, markup := range []string{"<i>", "<img", "alert(1)</script>", "run: <script>"} {
		if strings.Contains(got, markup) {
			t.Errorf("%q is in\n%s", markup, got)
		}
	}
	if !strings.Contains(got, "&lt;i&gt;.go:3:1") {
		t.Errorf("the place is not in\n%s", got)
	}
	res, got = browse(t, f, "/", func(r *http.Request) { r.Host = "evil.example" })
	if res.StatusCode != 503 || got != "devguard: the app does not run\n" {
		t.Errorf("a stranger is told %d %q", res.StatusCode, got)
	}
}

// TestCrashedAgain: who waits when the app crashes for the second time in a row is told at once, as text
// or as JSON.
func TestCrashedAgain(t *testing.T) {
	f := open(t)
	f.Crashed("exit status 2", 1)
	waits := get(t, f, "POST", "/")
	f.Crashed("exit status 2", 2)
	if got := after(t, waits, "the answer"); got != "503 devguard: the app has crashed\nexit status 2\n"+fine {
		t.Errorf("told %q", got)
	}
	res, got := browse(t, f, "/", func(r *http.Request) { r.Header.Set("Accept", "application/json") })
	if want := `{"detail":"exit status 2","error":"devguard: the app has crashed"}`; res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || strings.TrimSpace(got) != want {
		t.Errorf("%d %v\n%s", res.StatusCode, res.Header, got)
	}
}

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		peer, host, header string
		want, remote       bool
	}{
		{"127.0.0.1:1", "localhost:8080", "", true, true},
		{"[::1]:1", "[::1]:8080", "", true, true},
		{"[::ffff:127.0.0.1]:1", "127.0.0.1", "", true, true},
		{"127.77.0.1:1", "app.localhost:80", "", true, true},
		{"127.0.0.1:1", "app.test", "", true, true},
		{"127.0.0.1:1", "APP.Local.", "", true, true},
		{"127.0.0.1:1", "mybox:8080", "", true, true},
		{"127.0.0.1:1", "192.0.2.7:8080", "", true, true},
		{"127.0.0.1:1", "evil.example:8080", "", false, false},
		{"127.0.0.1:1", "localhost.evil.example", "", false, false},
		{"127.0.0.1:1", "evil-localhost.com", "", false, false},
		{"127.0.0.1:1", "2130706433", "", false, false},
		{"127.0.0.1:1", "0x7f000001", "", false, false},
		{"127.0.0.1:1", "", "", false, false},
		{"127.0.0.1:1", "a b", "", false, false},
		{"127.0.0.1:1", "user@localhost", "", false, false},
		{"127.0.0.1:1", "localhost", "192.0.2.1", false, true},
		{"127.0.0.1:1", "localhost", "127.0.0.1, 192.0.2.1", false, true},
		{"127.0.0.1:1", "localhost", "unknown", false, true},
		{"127.0.0.1:1", "localhost", "127.0.0.1", true, true},
		{"192.0.2.1:1", "192.0.2.7", "", false, true},
		{"[2001:db8::1]:1", "mybox.local", "", false, true},
		{"192.0.2.1:1", "evil.example", "", false, false},
		{"", "localhost", "", false, true},
		{"@", "localhost", "", false, true},
	} {
		r := &http.Request{RemoteAddr: c.peer, Host: c.host, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := private(false)(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if got := private(true)(r); got != c.remote {
			t.Errorf("%+v, with remote_overlay: %v", c, got)
		}
	}
}

// TestReserved: who gets what under the reserved paths, and what is the app's.
func TestReserved(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the app") })
	f := before(t, a)
	for _, c := range []struct {
		line, header string
		want         string // of the answer
	}{
		{"GET /.devguard/live.js HTTP/1.1", "", "HTTP/1.1 200 OK"},
		{"GET /.devguard/live.js HTTP/1.1", "Sec-Fetch-Site: cross-site", "HTTP/1.1 404"},
		{"GET /.devguard/live.js HTTP/1.1", "Origin: http://evil.example", "HTTP/1.1 404"},
		{"GET /.devguard/live.js HTTP/1.1", "Origin: http://localhost", "HTTP/1.1 200"},
		{"GET /.devguard/live.js HTTP/1.1", "Origin: null", "HTTP/1.1 404"},
		{"GET /.devguard/events HTTP/1.1", "X-Forwarded-For: 192.0.2.1", "HTTP/1.1 404"},
		{"GET /.devguard/events HTTP/1.1", "Forwarded: for=192.0.2.1", "HTTP/1.1 404"},
		{"POST /.devguard/events HTTP/1.1", "", "HTTP/1.1 405"},
		{"GET /.devguard/poll.js?x.1 HTTP/1.1", "Sec-Fetch-Site: cross-site", "HTTP/1.1 404"},
		{"GET /.devguard/poll.js?x.1 HTTP/1.1", "", `{detail: {"at":"","css":"","problems":null,"stamp":0}}`},
		{"GET /.devguard/poll.js HTTP/1.1", "", "the app"},
		{"GET /.devguard/ HTTP/1.1", "", "the app"},
		{"GET /.devguard/live.js? HTTP/1.1", "", "the app"},
		{"GET /.devguard/live.js/ HTTP/1.1", "", "the app"},
		{"GET //.devguard/live.js HTTP/1.1", "", "the app"},
		{"GET /a/../.devguard/live.js HTTP/1.1", "", "the app"},
		{"GET /%2edevguard/live.js HTTP/1.1", "", "the app"},
		{"GET /.Devguard/live.js HTTP/1.1", "", "the app"},
		{"GET http://localhost/.devguard/live.js HTTP/1.1", "", "the app"},
	} {
		if c.header != "" {
			c.header += "\r\n"
		}
		got := say(t, f, c.line+"\r\nHost: localhost\r\nConnection: close\r\n"+c.header+"\r\n")
		if !strings.Contains(got, c.want) || strings.Contains(got, "the app") != (c.want == "the app") {
			t.Errorf("%s, %s: %q", c.line, c.header, got)
		}
	}
}

// FuzzReserved: whatever a request says, what is devguard's own is given only to who may have it,
// and what is told of the project is never in another answer.
func FuzzReserved(f *testing.F) {
	f.Add("/.devguard/events", "localhost:8080", "127.0.0.1:5", "", "", "")
	f.Add("/.devguard/live.js", "evil.example", "127.0.0.1:5", "http://evil.example", "cross-site", "")
	f.Add("//.devguard/events", "[::1]", "[::1]:1", "", "same-origin", "192.0.2.1")
	f.Add("/.devguard/poll.js?KEY.-1", "localhost", "127.0.0.1:5", "", "none", "")
	f.Fuzz(func(t *testing.T, target, host, peer, origin, site, forwarded string) {
		l := newLive()
		target = strings.ReplaceAll(target, "KEY", l.key)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		close(l.ended) // the stream ends after its first message
		l.show([]Problem{{Title: "SECRET"}})
		r := &http.Request{Method: "GET", URL: u, RequestURI: target, Host: host, RemoteAddr: peer, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
		for name, value := range map[string]string{"Origin": origin, "Sec-Fetch-Site": site, "X-Forwarded-For": forwarded} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		ours := l.reserved(w, r, private(false)(r))
		told := strings.Contains(w.Body.String(), "SECRET")
		local := strings.HasPrefix(peer, "127.") || strings.HasPrefix(peer, "[::1]") || strings.HasPrefix(strings.ToLower(peer), "[::ffff:")
		stranger := origin != "" && !strings.HasSuffix(origin, "://"+host) || site != "" && site != "same-origin" && site != "none" || !local
		switch {
		case ours != (target == scriptPath || target == eventsPath || strings.HasPrefix(target, pollPath)):
			t.Fatalf("%q is taken for devguard's own: %v", target, ours)
		case told && (stranger || target != eventsPath && !strings.HasPrefix(target, pollPath+l.key) || strings.Contains(host, "example")):
			t.Fatalf("told to %+v", r)
		}
	})
}

func TestEditorLink(t *testing.T) {
	for _, c := range []struct{ editor, file, want string }{
		{"vscode", "/a b/c.go", "vscode://file/a%20b/c.go:3:1"},
		{"vscode", `C:\a\b.go`, "vscode://file/C:/a/b.go:3:1"},
		{"idea", "/a&b/c.go", "idea://open?file=/a%26b/c.go&line=3&column=1"},
		{"my://{file}#{line}", "/a?b#c%", "my:///a%3Fb%23c%25#3"},
		{"none", "/a", ""},
		{"", "/a", ""},
		{"javascript://{file}", "/a", ""},
		{"JavaScript://{file}", "/a", ""},
		{"java script://{file}", "/a", ""},
		{"vscode://file", "/a", ""},
	} {
		if got := EditorLink(c.editor, c.file, 3, 0); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.editor, c.file, got, c.want)
		}
	}
}

// TestScriptMakesNoMarkup: what would run text as markup, or break strict policies, is not in the
// script.
func TestScriptMakesNoMarkup(t *testing.T) {
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"} {
		if bytes.Contains(liveScript, []byte(word)) {
			t.Errorf("%s is in live.js", word)
		}
	}
}

// TestScript runs what live.js does on a page, as testdata/live_test.js has it.
func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	if out, err := exec.CommandContext(t.Context(), node, "testdata/live_test.js", "live.js").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
