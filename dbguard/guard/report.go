package guard

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/session"
)

// The lines that the guard writes. Scripts rely on messages and keys.

// What is added to a reason about a pooler, by what is done about it.
const (
	notGuarded = "behind it the sessions of an ended app cannot be told from others, so devguard terminates none there"
	rewritten  = "prepared statements are kept on devguard's side of it"
)

// sayKind writes the `database` line about an upstream, when it has changed.
func (g *Guard) sayKind(u *upstream, v verdict) {
	level := slog.LevelInfo
	if v.kind == "" {
		v.kind = unknown
	}
	if v.kind == unknown {
		level = slog.LevelWarn
	}
	g.mu.Lock()
	m, reason := u.mode(v), v.reason // the probe, which says it, is not over
	g.mu.Unlock()
	switch {
	case m == modeAuto:
		m = modeSession // until the server is there to say otherwise
	case m == modeTransaction:
		reason += "; " + rewritten
	case m == modeDrain && v.connected && v.kind != postgres:
		reason += "; " + notGuarded
	}
	if fallen := g.fallenOf(u); fallen != "" {
		level, reason = slog.LevelWarn, fallen+"; the app uses its own URL"
	}
	g.say(level, u.subject, string(m), string(v.kind), reason, strings.Join(g.access(u).names, ","))
}

// sayConflict writes the `conflict` line about an error that the app was given.
// The fingerprint has no literals.
func (g *Guard) sayConflict(l *live, e session.Event) {
	attrs := []slog.Attr{slog.String("sqlstate", e.SQLState), slog.String("fingerprint", e.Fingerprint)}
	if l.gen > 0 {
		attrs = append(attrs, slog.Int("gen", l.gen))
	}
	g.log.LogAttrs(g.ctx, slog.LevelWarn, "conflict", append(attrs, slog.String("database", l.u.subject))...)
}

// sayStranger reports a client of a fixed address that is not the app's, once for
// each name it goes by: it is served, and no restart ends it.
func (g *Guard) sayStranger(u *upstream, c *client) {
	name := c.params["application_name"]
	key := "stranger " + u.subject + " " + name
	g.mu.Lock()
	repeated := g.reported[key]
	g.reported[key] = true
	g.mu.Unlock()
	if !repeated {
		g.log.Info("bypass", "pid", c.upstream.pid, "remote", c.RemoteAddr().String(), "database", u.subject, "application_name", name,
			"hint", "a client of the fixed address that is not the app's: it is served, and no restart ends it")
	}
}

// sayUncarried says what a transaction pooler does not carry, the first time.
func (g *Guard) sayUncarried(l *live, feature string) {
	g.mu.Lock()
	key := "uncarried " + l.u.subject + " " + feature
	repeated := g.reported[key]
	g.reported[key] = true
	g.mu.Unlock()
	if !repeated {
		g.log.Warn(feature+" does not work through a transaction pooler", "database", l.u.subject,
			"hint", "use a direct URL, or the pooler's session mode (its session port), for what needs it")
	}
}

// sayOff writes the `database` line about a variable that is not used.
func (g *Guard) sayOff(name, reason string) { g.say(slog.LevelInfo, name, "off", "", reason, name) }

// say writes a `database` line unless the last one about the subject was the
// same.
func (g *Guard) say(level slog.Level, subject, mode, kind, reason, names string) {
	text := mode + "\x00" + kind + "\x00" + reason
	g.mu.Lock()
	repeated := g.said[subject] == text
	g.said[subject] = text
	g.mu.Unlock()
	if repeated {
		return
	}
	attrs := []slog.Attr{slog.String("mode", mode)}
	for _, a := range []slog.Attr{slog.String("kind", kind), slog.String("reason", reason), slog.String("env", names)} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if mode != "off" {
		attrs = append(attrs, slog.String("database", subject))
	}
	g.log.LogAttrs(g.ctx, level, "database", attrs...)
}

// sayEmbedded writes the `database` line about the embedded server.
func (g *Guard) sayEmbedded(reason string) {
	m := modeOff
	for _, d := range g.databases {
		if d.Embedded {
			m = mode(d.Mode)
		}
	}
	if m == modeAuto {
		m = modeSession
	}
	g.say(slog.LevelInfo, "embedded", string(m), string(postgres), reason, "")
}

// sayBypass reports a session with the app's label that is not provably the
// app's, once.
func (g *Guard) sayBypass(u *upstream, s activity.Session) {
	key := fmt.Sprintf("%s %d %d", u.subject, s.PID, s.Start)
	g.mu.Lock()
	repeated := g.reported[key]
	g.reported[key] = true
	g.mu.Unlock()
	if repeated {
		return
	}
	remote := "a Unix socket"
	if !s.Unix() {
		remote = s.Client.String()
	}
	g.log.Warn("bypass", "pid", s.PID, "remote", remote, "database", u.subject,
		"hint", "the session has the app's label, but may be a pooler's or a living process's: devguard leaves it alone")
}
