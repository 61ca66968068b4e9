package watch

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

// poller is the part of the loop's state about polling: files are looked at every so often, without
// events.
type poller struct {
	ticker  *time.Ticker
	tick    <-chan time.Time // nil: no polling
	polling bool             // events are not relied on at all: sweeps look at all files

	// suspects are files whose change a sweep has found before any event told of it. If no event
	// comes until the next sweep either, events are not to be relied on.
	suspects map[string]struct{}
}

func (l *loop) mode() string {
	if l.polling {
		return "poll"
	}
	return "events"
}

// choosePolling decides whether to poll, for a new plan.
func (l *loop) choosePolling() {
	switch {
	case l.opts.Poll > 0:
		l.startPolling(l.opts.Poll, true)
	case l.opts.Poll == PollOff:
	case l.dirs.source == nil:
		l.startPolling(autoPoll, true)
	case l.tick == nil:
		if dir, fsType := l.remote(); dir != "" {
			l.startPolling(autoPoll, false)
			l.note(change.Note{
				Msg:  "the file system of " + dir + " (" + fsType + ") may not report every change: looking at the graph's files every second too",
				Hint: `watch.poll = "off" turns this off`,
			})
		}
	}
}

// remote returns a watched directory on a file system that is not known to be local; "" if there is
// none.
func (l *loop) remote() (dir, fsType string) {
	paths := make([]string, 0, len(l.dirs.byName))
	for path, d := range l.dirs.byName {
		if d.kind&(listed|chained) != 0 && d.watch != nil {
			paths = append(paths, path)
		}
	}
	for _, dir := range l.plan.Walk {
		paths = append(paths, filepath.Clean(dir))
	}
	slices.Sort(paths)
	for _, path := range paths {
		if local, fsType := l.opts.Local(path); !local {
			return path, fsType
		}
	}
	return "", ""
}

func (l *loop) startPolling(every time.Duration, all bool) {
	l.polling = l.polling || all
	if l.ticker == nil {
		l.ticker = time.NewTicker(every)
		l.tick = l.ticker.C
	}
}

func (l *loop) stopPolling() {
	if l.ticker != nil {
		l.ticker.Stop()
	}
}

// poll looks at files without events.
func (l *loop) poll(ctx context.Context, now time.Time) {
	if len(l.suspects) > 0 && !l.polling {
		l.polling = true
		l.note(change.Note{
			Warn: true,
			Msg:  "a change of " + first(l.suspects) + " was found that no event told of: polling every second from now on",
			Hint: "events do not arrive on some network and container file systems; watch.poll sets the interval",
		})
	}
	l.suspects = nil
	out := findings{at: now}
	kinds := listed
	if l.polling && !l.walking() {
		kinds |= walked
	}
	if l.sweep(ctx, kinds, l.polling, &out) != nil {
		return // closing
	}
	if !l.polling {
		l.suspects = make(map[string]struct{}, len(out.paths))
		for _, p := range out.paths {
			l.suspects[p.Name] = struct{}{}
		}
	}
	l.publish(out)
	if l.opts.Poll == PollAuto {
		l.ticker.Reset(pace(time.Since(now)))
	}
}

// pace is the interval to the next sweep where nobody has chosen one: sweeps take no more than a tenth
// of the time, also those of a large tree on a slow file system.
func pace(sweep time.Duration) time.Duration { return max(autoPoll, 9*sweep) }

func first(set map[string]struct{}) string {
	name := ""
	for s := range set {
		if name == "" || s < name {
			name = s
		}
	}
	return name
}
