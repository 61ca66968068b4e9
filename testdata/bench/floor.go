package main

import (
	"context"
	"path/filepath"
	"syscall"
	"time"

	"example.com/bench/run"
)

// floor is what a patient person does by hand: build with the default flags
// while the old process serves, stop it, start the new one.
type floor struct {
	shop, log string
	pkg       string
	env       []string
	serving   *run.Process

	built   time.Duration // how long the last build took
	started time.Time     // when the last process was started
}

// reload builds and replaces the running process, if there is one.
func (f *floor) reload(ctx context.Context) error {
	// Always the same file, as by hand: an edit of no source then links nothing.
	binary := filepath.Join(f.shop, "tmp", "app")
	begin := time.Now()
	if err := run.Do(ctx, f.shop, f.env, "go", "build", "-o", binary, f.pkg); err != nil {
		return err
	}
	f.built = time.Since(begin)
	f.stop()
	p, err := run.Start(f.shop, f.log, f.env, nil, binary)
	if err != nil {
		return err
	}
	f.serving, f.started = p, time.Now()
	return nil
}

func (f *floor) stop() {
	if f.serving != nil {
		f.serving.Stop(syscall.SIGTERM, 5*time.Second)
		f.serving = nil
	}
}
