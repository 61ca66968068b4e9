package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/reload"
)

// listener reads one event stream.
type listener struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Scanner
}

// event is one of its events.
type event struct{ id, name, data string }

func listen(t *testing.T, f *fake, last string) *listener {
	t.Helper()
	r := f.request("GET", "/v1/events").WithContext(t.Context())
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &listener{t, resp, bufio.NewScanner(resp.Body)}
}

// next returns the next event; none at the end.
func (l *listener) next() (e event, ok bool) {
	for l.scan.Scan() {
		switch name, value, _ := strings.Cut(l.scan.Text(), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
			l.scan.Text() // a comment has ended
		}
	}
	return e, false
}

// line returns the next event about a line.
func (l *listener) line() (id string, line Line) {
	l.t.Helper()
	e, ok := l.next()
	for ok && e.name != "line" {
		e, ok = l.next()
	}
	if err := json.Unmarshal([]byte(e.data), &line); !ok || err != nil {
		l.t.Fatalf("no line: %+v, %v", e, err)
	}
	return e.id, line
}

// TestEvents: lines come in order, states as they change, and the end of devguard is the stream's.
func TestEvents(t *testing.T) {
	f := serve(t)
	f.log.Info("one", "n", 1)
	l := listen(t, f, "")
	if _, line := l.line(); line.ID != 1 || !strings.Contains(string(line.Line), `"msg":"one","n":1`) || !strings.Contains(line.Text, "msg=one n=1") {
		t.Errorf("%+v", line)
	}
	if e, _ := l.next(); e.name != "status" || !strings.Contains(e.data, `"gen":1`) {
		t.Errorf("%+v", e)
	}
	f.publish(func(s *reload.Snapshot) { s.Gen = 2 })
	if e, _ := l.next(); e.name != "status" || !strings.Contains(e.data, `"gen":2`) {
		t.Errorf("%+v", e)
	}
	f.publish(func(s *reload.Snapshot) { s.Done = true })
	if e, ok := l.next(); ok {
		t.Errorf("after the end: %+v", e)
	}
}

// TestEventsGoOn: a stream goes on behind the line that was read last, says how many lines are gone,
// and begins anew with what another run has said.
func TestEventsGoOn(t *testing.T) {
	f := serve(t)
	f.log.Info("one")
	f.log.Info("two")
	l := listen(t, f, "")
	first, _ := l.line()
	if _, line := listen(t, f, first).line(); line.ID != 2 {
		t.Errorf("after %s comes %+v", first, line)
	}
	for _, foreign := range []string{"other-1", "nonsense", first[:len(first)-1] + "99999999999999999999"} {
		if _, line := listen(t, f, foreign).line(); line.ID != 1 {
			t.Errorf("after %s comes %+v", foreign, line)
		}
	}
	for i := range maxKept {
		f.log.Info(fmt.Sprint("many ", i))
	}
	again := listen(t, f, first)
	if e, _ := again.next(); e.name != "lost" || e.data != `{"lines":1}` {
		t.Errorf("%+v", e)
	}
	if _, line := again.line(); line.ID != 3 {
		t.Errorf("then comes %+v", line)
	}
}

// TestLinesStay: lines that were handed out stay what they were while others come.
func TestLinesStay(t *testing.T) {
	f := serve(t)
	var all [][]Line
	for i := range uint64(3 * maxKept) {
		f.log.Info("line")
		lines, lost, _ := f.source.Journal.after(i / 2)
		all = append(all, lines)
		if lost+uint64(len(lines)) != i+1-i/2 {
			t.Fatalf("after %d of %d there are %d, and %d are lost", i/2, i+1, len(lines), lost)
		}
	}
	for i, lines := range all {
		for n, l := range lines {
			if want := uint64(i + 2 - len(lines) + n); l.ID != want {
				t.Fatalf("of %d lines one is %d, not %d", i+1, l.ID, want)
			}
		}
	}
}

// TestLongLinesAreBounded: a line that names thousands of files, as one of a git checkout does, costs
// no more memory for being said often.
func TestLongLinesAreBounded(t *testing.T) {
	f := serve(t)
	long := strings.Repeat("x", maxBytes/10)
	for range 100 {
		f.log.Info(long)
	}
	lines, lost, _ := f.source.Journal.after(0)
	size := 0
	for _, l := range lines {
		size += l.size()
	}
	if size > maxBytes || size < maxBytes/2 || lost+uint64(len(lines)) != 100 || lines[len(lines)-1].ID != 100 {
		t.Errorf("%d bytes of %d lines are kept, %d lost", size, len(lines), lost)
	}
	f.log.Info(strings.Repeat("x", 2*maxBytes))
	if lines, _, _ := f.source.Journal.after(0); len(lines) != 1 || lines[0].ID != 101 {
		t.Errorf("of a line that is too long by itself %d are kept", len(lines))
	}
}

// TestIdleStreams: of a thousand streams that nobody reads, those that are too many are refused;
// devguard answers others meanwhile, and there is room again once they are gone.
func TestIdleStreams(t *testing.T) {
	f := serve(t)
	taken, refused := 0, 0
	var all []*listener
	for range 1000 {
		l := listen(t, f, "")
		all = append(all, l)
		switch l.resp.StatusCode {
		case http.StatusOK:
			taken++
		case http.StatusServiceUnavailable:
			refused++
			l.resp.Body.Close()
		}
	}
	if taken != maxStreams || taken+refused != 1000 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
	for range 100 {
		f.log.Info(strings.Repeat("x", 1000))
		f.publish(func(s *reload.Snapshot) { s.Version++ })
	}
	if code, _ := do(t, f.request("GET", "/v1/status")); code != 200 {
		t.Errorf("status: %d", code)
	}
	if got := f.wishes(); got != "0 0 0" {
		t.Errorf("restarts, stops and resets: %s", got)
	}
	for _, l := range all {
		l.resp.Body.Close()
	}
	for listen(t, f, "").resp.StatusCode != http.StatusOK { // their ends are noticed one by one
		if t.Context().Err() != nil {
			t.Fatal("there is no room again")
		}
	}
}
