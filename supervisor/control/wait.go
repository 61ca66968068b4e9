package control

import (
	"context"
	"net/http"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// waitTime is how long a caller waits who does not say.
const waitTime = time.Minute

// Waited is what GET /v1/wait answers.
type Waited struct {
	Schema   int       `json:"schema"`
	Outcome  string    `json:"outcome"` // served, failed, ending; pending after the timeout
	Version  uint64    `json:"version"` // of the tree as it was when it was asked
	Gen      int       `json:"gen"`     // the newest generation
	MS       int64     `json:"ms"`      // how long it took
	Why      []string  `json:"why"`     // it failed, or is pending; for people
	Failures []Failure `json:"failures"`
	Waits    []Wait    `json:"waits"`
}

// wait answers once it is known what has become of the tree as it is when it is asked.
func (s *Server) wait(w http.ResponseWriter, r *http.Request) {
	timeout := waitTime
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			answer(w, http.StatusBadRequest, Problem{"the timeout is no duration", "write one like 60s"})
			return
		}
		timeout = d
	}
	if !s.enter(w) {
		return
	}
	defer s.leave()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	version, err := s.source.CatchUp(ctx)
	if err != nil && ctx.Err() == nil {
		answer(w, http.StatusServiceUnavailable, Problem{err.Error(), logline.HintOf(err)})
		return
	}
	now, newer := s.source.Latest()
	outcome := reload.Pending
	for err == nil {
		if outcome = now.Verdict(version); outcome != reload.Pending {
			break
		}
		select {
		case <-newer:
			now, newer = s.source.Latest()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	answer(w, http.StatusOK, waitedOf(now, outcome, version, time.Since(begun)))
}

func waitedOf(snap reload.Snapshot, outcome reload.Outcome, version uint64, took time.Duration) Waited {
	waited := Waited{
		Schema: Schema, Outcome: string(outcome), Version: version, Gen: snap.Gen, MS: took.Milliseconds(),
		Why: []string{}, Failures: failuresOf(snap), Waits: waitsOf(snap),
	}
	switch outcome {
	case reload.Failed:
		waited.Why = snap.Blame()
	case reload.Pending:
		waited.Why = append(waited.Why, "devguard: "+snap.Doing, "the app: "+snap.Phase)
	}
	return waited
}
