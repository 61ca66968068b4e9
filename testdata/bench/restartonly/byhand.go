package main

import (
	"context"
	"path/filepath"
	"syscall"
	"time"

	"example.com/bench/run"
)

// byHand is the program without devguard.
type byHand struct {
	*app
	program string
	log     string
	process *run.Process

	stopped []time.Duration // from SIGTERM to the exit, by round
	started []time.Duration // from exec to the first answer
}

func newByHand(ctx context.Context, o options, work string, env []string) (*byHand, error) {
	a, err := newApp(o, work, "hand", env)
	if err != nil {
		return nil, err
	}
	h := &byHand{app: a, program: filepath.Join(work, "hand-app"), log: filepath.Join(work, "hand.log")}
	if err := run.Do(ctx, a.dir, a.env, "go", "build", "-buildvcs=false", "-ldflags=-w", "-o", h.program, a.pkg); err != nil {
		return nil, err
	}
	if o.database {
		err = run.Do(ctx, a.dir, a.env, "go", "run", "./cmd/migrate")
	}
	return h, err
}

// restart measures one. Nothing is recorded of round 0.
func (h *byHand) restart(ctx context.Context, round int) error {
	want, err := h.change()
	if err != nil {
		return err
	}
	begun := time.Now()
	h.stop()
	ended := time.Now()
	if h.process, err = run.Start(h.dir, h.log, h.env, nil, h.program); err != nil {
		return err
	}
	served, err := h.await(ctx, want)
	if err != nil {
		return err
	}
	if round > 0 {
		h.stopped, h.started = append(h.stopped, ended.Sub(begun)), append(h.started, served.Sub(ended))
	}
	return nil
}

func (h *byHand) stop() {
	if h.process != nil {
		h.process.Stop(syscall.SIGTERM, 10*time.Second)
		h.process = nil
	}
}
