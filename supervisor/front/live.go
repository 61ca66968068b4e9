package front

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// live is what pages are told: when to reload, when to take stylesheets anew, what has failed.
type live struct {
	run string // differs for each devguard: its pages reload once
	key string // that pages of ours have, and no other

	mu       sync.Mutex
	gen      int // the newest generation that was found ready, or has answered
	page     int // counts what pages reload for
	style    int // counts changes of stylesheets alone
	problems []Problem
	stamp    int           // counts changes of the above
	changed  chan struct{} // closed, and made anew, with each change

	ended chan struct{} // closed when no page is told anything any more
}

// state is what a page compares with what it was made with.
type state struct {
	At       string    `json:"at"`
	CSS      string    `json:"css"`
	Problems []Problem `json:"problems"`
	Stamp    int       `json:"stamp"` // of two that differ it differs, too
}

func newLive() *live {
	return &live{run: rand.Text()[:8], key: rand.Text(), changed: make(chan struct{}), ended: make(chan struct{})}
}

// now returns the state, and what is closed when it is another.
func (l *live) now() (state, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current(), l.changed
}

// current needs the lock.
func (l *live) current() state {
	late := func(p Problem) bool { return p.NotReady > 0 && p.NotReady <= l.gen }
	problems := l.problems
	if slices.ContainsFunc(problems, late) {
		problems = slices.DeleteFunc(slices.Clone(problems), late)
	}
	return state{fmt.Sprintf("%s.%d", l.run, l.page), strconv.Itoa(l.style), problems, l.stamp}
}

// change needs the lock to be free.
func (l *live) change(do func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if do() {
		l.stamp++
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// ready has pages reload when a generation is ready that was not before.
func (l *live) ready(gen int) {
	l.change(func() bool {
		if gen <= l.gen {
			return false
		}
		l.gen = gen
		l.page++
		return true
	})
}

// answered says that a generation has answered what it was asked at a state, and returns the state that the answer
// is of. One that was not ready in time is as good as ready then.
func (l *live) answered(gen int, at state) state {
	l.change(func() bool {
		if gen <= l.gen {
			return false
		}
		newest := at.At == l.current().At
		l.gen = gen
		l.page++
		if newest {
			at = l.current()
		}
		return true
	})
	return at
}

// reload has pages reload.
func (l *live) reload() { l.change(func() bool { l.page++; return true }) }

// restyle has pages take their stylesheets anew.
func (l *live) restyle() { l.change(func() bool { l.style++; return true }) }

// show replaces what has failed.
func (l *live) show(problems []Problem) {
	l.change(func() bool { l.problems = problems; return true })
}

// heartbeat is how often something is sent, so that the end of a client is noticed.
const heartbeat = 20 * time.Second

// events is the stream of a page. Each message is a whole state.
func (l *live) events(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	rc := http.NewResponseController(w)
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	message := "retry: 500\n"
	for {
		s, changed := l.now()
		text, err := json.Marshal(s)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		if _, err := fmt.Fprintf(w, "%sdata: %s\n\n", message, text); err != nil || rc.Flush() != nil {
			return
		}
		message = ""
		for waits := true; waits; {
			select {
			case <-changed:
				waits = false
			case <-tick.C:
				if _, err := fmt.Fprint(w, ":\n\n"); err != nil || rc.Flush() != nil {
					return
				}
			case <-r.Context().Done():
				return
			case <-l.ended:
				return
			}
		}
	}
}

// longPoll is for how long a page that polls waits for a change.
const longPoll = 10 * time.Second

// poll is for a page that may not open the stream: a script that tells it the next state, when that
// is not the one with the stamp that the page knows. query is KEY.STAMP; with another key the page
// is of another devguard, and is told to reload, and nothing else.
func (l *live) poll(w http.ResponseWriter, r *http.Request, query string) {
	s := state{}
	if key, stamp, ok := strings.Cut(query, "."); ok && subtle.ConstantTimeCompare([]byte(key), []byte(l.key)) == 1 {
		s = l.after(r.Context(), stamp)
	}
	text, err := json.Marshal(s) // escapes what would end a script
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "document.dispatchEvent(new CustomEvent(\"devguard\", {detail: %s}));\n", text)
}

// after returns the state once its stamp is another, and no later than longPoll.
func (l *live) after(ctx context.Context, stamp string) state {
	timer := time.NewTimer(longPoll)
	defer timer.Stop()
	for {
		s, changed := l.now()
		if strconv.Itoa(s.Stamp) != stamp {
			return s
		}
		select {
		case <-changed:
		case <-timer.C:
			return s
		case <-ctx.Done():
			return s
		case <-l.ended:
			return s
		}
	}
}
