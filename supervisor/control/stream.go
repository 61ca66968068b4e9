package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/reload"
)

// An event stream has, in this order, "lost" where lines were forgotten before they could be sent,
// "line" for each line of the log, with an id, and "status" with the newest state when there is
// another one. Last-Event-ID goes on behind a line; an id of another run begins anew. States in
// between may be left out. The stream ends with devguard.
const (
	// maxStreams bounds the streams: each holds a connection and a goroutine. A guess: an editor, a
	// terminal and a page or two for each of some projects.
	maxStreams = 64
	// writeTime is how long a reader may take for what is sent to it.
	writeTime = 10 * time.Second
	// beat is how often a stream without news says that it is alive, by which we notice that its
	// reader is gone.
	beat = 15 * time.Second
)

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w) {
		return
	}
	defer s.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	st := &stream{s: s, w: w, c: http.NewResponseController(w), last: s.lastID(r.Header.Get("Last-Event-ID"))}
	st.run(r)
}

// enter takes a place for an answer that takes its time; there may be none.
func (s *Server) enter(w http.ResponseWriter) bool {
	select {
	case s.streams <- struct{}{}:
		return true
	default:
		answer(w, http.StatusServiceUnavailable, Problem{"too many event streams are open", "close one of them"})
		return false
	}
}

func (s *Server) leave() { <-s.streams }

// lastID is the number of a line of this run; 0 before the first.
func (s *Server) lastID(header string) uint64 {
	run, n, _ := strings.Cut(header, "-")
	id, err := strconv.ParseUint(n, 10, 63)
	if err != nil || run != s.run() {
		return 0
	}
	return id
}

// run tells this run from others.
func (s *Server) run() string { return strconv.FormatInt(s.source.About.Since.UnixNano(), 36) }

// stream is one event stream.
type stream struct {
	s    *Server
	w    http.ResponseWriter
	c    *http.ResponseController
	last uint64 // the line that was sent last
	sent string // the state that was
	err  error  // the reader is gone, or too slow
}

func (st *stream) run(r *http.Request) {
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for {
		_ = st.c.SetWriteDeadline(time.Now().Add(writeTime))
		newerLine := st.lines()
		snap, newerState := st.s.source.Latest()
		st.state(snap)
		if st.err == nil {
			st.err = st.c.Flush()
		}
		if st.err != nil || snap.Done {
			return
		}
		select {
		case <-newerLine:
		case <-newerState:
		case <-alive.C:
			st.write(": alive\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// lines sends those that are new, and returns what is closed when there are more.
func (st *stream) lines() <-chan struct{} {
	lines, lost, newer := st.s.source.Journal.after(st.last)
	if lost > 0 {
		st.write("event: lost\ndata: {\"lines\":%d}\n\n", lost)
	}
	for _, l := range lines {
		st.write("id: %s-%d\nevent: line\ndata: %s\n\n", st.s.run(), l.ID, encode(l))
		st.last = l.ID
	}
	return newer
}

// state sends the state if it differs from what was sent.
func (st *stream) state(snap reload.Snapshot) {
	if st.err != nil {
		return
	}
	text := encode(State{
		Schema: Schema,
		Tree:   treeOf(snap), Gen: snap.Gen, Phase: snap.Phase, Ready: snap.Ready, Version: snap.GenVersion,
		Waits: waitsOf(snap), Failures: failuresOf(snap), Hooks: hooksOf(snap),
	})
	if text != st.sent {
		st.write("event: status\ndata: %s\n\n", text)
		st.sent = text
	}
}

// State is the data of a "status" event.
type State struct {
	Schema   int       `json:"schema"`
	Tree     Tree      `json:"tree"`
	Gen      int       `json:"gen"`
	Phase    string    `json:"phase"`
	Ready    bool      `json:"ready"`
	Version  uint64    `json:"version"`
	Waits    []Wait    `json:"waits"`
	Failures []Failure `json:"failures"`
	Hooks    []Hook    `json:"hooks"`
}

func (st *stream) write(format string, args ...any) {
	if st.err == nil {
		_, st.err = fmt.Fprintf(st.w, format, args...)
	}
}

// encode makes one line of JSON.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: an event that is no JSON: " + err.Error())
	}
	return string(b)
}
