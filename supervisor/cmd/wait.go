package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// The exit codes of wait, beside 0.
const (
	ExitFailed     = 1
	ExitTimeout    = 3
	ExitNotRunning = 4
)

// CodeError ends devguard with an exit code of its own. Without Err all has been said.
type CodeError struct {
	Code int
	Err  error
}

// Error is that of Err.
func (e *CodeError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *CodeError) Unwrap() error { return e.Err }

// Wait answers `devguard wait`.
func Wait(ctx context.Context, t *Talk) error {
	var w control.Waited
	err := t.Get(ctx, waitPath(t.Timeout), &w)
	switch {
	case errors.Is(err, control.ErrEnded):
		return &CodeError{ExitNotRunning, err}
	case err != nil:
		return err
	}
	if t.JSON {
		err = json.NewEncoder(t.Out).Encode(w)
	} else {
		_, err = io.WriteString(t.Out, waitText(w))
	}
	if err != nil {
		return err
	}
	return waitCode(w, t)
}

func waitPath(timeout time.Duration) string {
	return "/v1/wait?timeout=" + url.QueryEscape(timeout.String())
}

// waitCode is the exit code that stands for an answer, nil for 0.
func waitCode(w control.Waited, t *Talk) error {
	switch reload.Outcome(w.Outcome) {
	case reload.Served:
		return nil
	case reload.Failed:
		return &CodeError{Code: ExitFailed}
	case reload.Ending:
		return &CodeError{ExitNotRunning, control.ErrEnded}
	}
	err := fmt.Errorf("it is not known after %v whether the tree is served: %s", t.Timeout, strings.Join(w.Why, "; "))
	return &CodeError{ExitTimeout, logline.WithHint(err, "wait longer with --timeout, or look at devguard status")}
}

// waitText is what a person, or a program that reads errors of compilers, wants to see.
func waitText(w control.Waited) string {
	var b strings.Builder
	switch reload.Outcome(w.Outcome) {
	case reload.Served:
		fmt.Fprintf(&b, "served by generation %d\n", w.Gen)
	case reload.Failed:
		for i, why := range w.Why { // those of Failures come first
			var f control.Failure
			if i < len(w.Failures) {
				f = w.Failures[i]
			}
			if len(f.Errors) == 0 {
				fmt.Fprintln(&b, why)
			}
			for _, d := range f.Errors {
				fmt.Fprintln(&b, diagnosticText(d))
			}
			if f.Hint != "" {
				fmt.Fprintln(&b, "hint:", f.Hint)
			}
		}
	}
	return b.String()
}
