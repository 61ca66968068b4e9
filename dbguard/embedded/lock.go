package embedded

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// lockFile takes the lock, and waits for it as long as ctx allows. It asks again and again, because
// nothing can interrupt a goroutine in a blocking flock.
func lockFile(ctx context.Context, path string, exclusive bool) (*os.File, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := flock(f, exclusive, false)
		if ok {
			return f, nil
		}
		if err != nil {
			f.Close()
			return nil, logline.WithHint(err, "the file system must support flock")
		}
		if ctx.Err() != nil {
			f.Close()
			return nil, fmt.Errorf("%s is held by another process: %w", path, ctx.Err())
		}
		pause(ctx)
	}
}

// tryLock takes the exclusive lock if it is free.
func tryLock(path string) (f *os.File, free bool, err error) {
	if f, err = openLock(path); err != nil {
		return nil, false, err
	}
	if free, err = flock(f, true, false); !free {
		f.Close()
		return nil, false, err
	}
	return f, true, nil
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}

// pause waits 5 ms, the interval at which we look at other processes.
func pause(ctx context.Context) {
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
