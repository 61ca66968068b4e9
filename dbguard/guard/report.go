package guard

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/supervisor/logline"
)

// report writes the `drained` line.
func (d *drain) report(ctx context.Context, err error, took time.Duration) {
	elsewhere := errors.Is(err, errPooled) || errors.Is(err, errNotOurs) // what went past us is not for us to end
	d.u.setClean((err == nil || elsewhere) && len(d.left) == 0)
	if errors.Is(err, errNotOurs) && d.proxied.sessions == 0 || d.gen == 0 && err == nil && len(d.sessions) == 0 {
		return
	}
	line := logline.Drain{Database: d.u.name, Gen: d.gen, Left: len(d.stuck), Took: took, Sessions: logline.Unknown}
	if err == nil || d.through {
		d.count(&line, err)
	}
	if features := d.u.uncarried.take(d.gen); len(features) > 0 && d.u.prober.pooled() {
		line.Remaining = []string{mayRemain(features)}
		if line.Left == 0 {
			line.Left = logline.Unknown
		}
	}
	switch {
	case err == nil && line.Left > 0:
		line.Remaining = d.remaining(ctx)
	case err != nil:
		if reason := d.failure(err); !d.through || !elsewhere {
			line.Reason = reason
		}
	}
	logline.Drained(line).To(d.u.log.Logger)
}

// count fills in the counts of the `drained` line. What cannot be known is
// absent: statements of a session that went past us, terminations behind a
// pooler.
func (d *drain) count(line *logline.Drain, err error) {
	line.Cancelled, line.RolledBack, line.Statements = logline.Unknown, logline.Unknown, logline.Unknown
	line.Terminated = logline.Unknown
	line.Sessions = d.proxied.sessions
	for s := range d.sessions {
		if _, counted := d.stuck[uint32(s.PID)]; !counted {
			line.Sessions++
		}
	}
	if d.through {
		line.Cancelled, line.RolledBack, line.Statements = d.proxied.cancelled, d.proxied.rolledBack, d.proxied.statements
	}
	if err == nil { // it has looked for all of them
		line.Terminated, line.Left = d.terminated, len(d.left)
	}
}

// failure returns why nothing could be drained, and makes the next generation
// probe again, after a `database` line, if that is news.
func (d *drain) failure(err error) string {
	if errors.Is(err, errNotOurs) {
		return err.Error() // no failure: the probe's verdict stands
	}
	pooled := errors.Is(err, errPooled)
	d.u.prober.forget(func(v verdict) bool { return !pooled || v.kind == postgres })
	if pooled {
		return err.Error()
	}
	if errors.Is(err, context.Canceled) {
		return "cut short"
	}
	t := explain(err, d.to.settings)
	d.u.prober.say(verdict{kind: unknown, reason: t.reason})
	return t.reason
}

// remaining describes the sessions that did not go, one line each.
func (d *drain) remaining(ctx context.Context) []string {
	details, err := activity.Describe(ctx, d.own.conn, d.left)
	if err != nil {
		return []string{"not known: " + explain(err, d.to.settings).reason}
	}
	lines := []string{}
	for _, s := range details {
		var text strings.Builder
		text.WriteString("pid " + strconv.Itoa(int(s.PID)) + " " + s.State)
		for _, part := range [][2]string{{"query", s.Query}, {"locks", s.Locks}, {"waits", s.Waits}} {
			if part[1] != "" {
				text.WriteString("; " + part[0] + ": " + part[1])
			}
		}
		lines = append(lines, text.String())
	}
	return lines
}
