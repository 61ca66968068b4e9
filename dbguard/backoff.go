package dbguard

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	defaultAttempts = 3
	baseDelay       = 50 * time.Millisecond
	// maxDelay bounds the growth, for callers that ask for many attempts.
	maxDelay = 2 * time.Second
)

// clock is what waiting needs; tests have their own.
type clock struct {
	// below returns a random duration in [0, d].
	below func(d time.Duration) time.Duration
	// wait returns after d, or with the context's error.
	wait func(ctx context.Context, d time.Duration) error
}

var realClock = clock{below: below, wait: wait}

func below(d time.Duration) time.Duration { return rand.N(d + 1) }

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delay returns how long to wait after attempt number n, the first being 1: full
// jitter, a random part of 50 ms, 100 ms, 200 ms ... so that those who met do not
// meet again.
func (c clock) delay(n int) time.Duration {
	limit := maxDelay
	if n <= 5 {
		limit = baseDelay << (n - 1)
	}
	return c.below(min(limit, maxDelay))
}
