package watch

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// Why git gives no answer.
var (
	errNoGit = errors.New("there is no git on PATH")
	errHangs = errors.New("git does not answer")
)

// refusal is git's own word for it.
func refusal(stderr string, err error) error {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" {
			return errors.New("git refuses: " + line)
		}
	}
	if err != nil {
		return fmt.Errorf("git gives no answer: %w", err)
	}
	return errors.New("git gives no answer")
}

// silence is what a person should know of a work tree about which git says nothing.
func silence(top string, err error) change.Note {
	next := "`git -C " + top + " check-ignore .` shows it"
	switch {
	case errors.Is(err, errNoGit):
		next = "install git and start devguard again"
	case errors.Is(err, errHangs):
		next = "`git -C " + top + " check-ignore .` hangs too; it is asked again every minute"
	}
	return change.Note{
		Warn: true,
		Msg:  fmt.Sprintf("what git ignores in %s is not known, so files that it ignores restart the app like others: %v", top, err),
		Hint: next + "; until then name them: exclude = [\"dist/**\"] under [watch]",
	}
}

// silences are the work trees about which git says nothing.
type silences struct {
	mu    sync.Mutex
	until map[string]time.Time // when it is asked again
}

// mayAsk reports whether git may be asked about a work tree.
func (s *silences) mayAsk(top string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.until[top])
}

// heard notes whether git has answered about a work tree. It reports whether that is the first
// answer after a silence.
func (s *silences) heard(top string, err error, now time.Time) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, silent := s.until[top]
	switch {
	case err == nil:
		delete(s.until, top)
		return silent
	case s.until == nil:
		s.until = map[string]time.Time{}
	}
	s.until[top] = now
	if errors.Is(err, errHangs) {
		s.until[top] = now.Add(gitPause)
	}
	return false
}
