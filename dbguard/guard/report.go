package guard

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/devguard/devguard/dbguard/catalog"
)

// The lines that the guard writes. Scripts rely on messages and keys.

// sayKind writes the `database` line about an upstream, when it has changed.
func (g *Guard) sayKind(u *upstream, v verdict) {
	level := slog.LevelInfo
	if v.kind == unknown {
		level = slog.LevelWarn
	}
	g.say(level, u.subject, "drain", string(v.kind), v.reason, strings.Join(g.access(u).names, ","))
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
	g.say(slog.LevelInfo, "embedded", "drain", string(postgres), reason, "")
}

// sayBypass reports a session with the app's label that is not provably the
// app's, once.
func (g *Guard) sayBypass(u *upstream, s catalog.Session) {
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
