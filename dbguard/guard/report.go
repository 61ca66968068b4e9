package guard

import (
	"fmt"
	"strings"

	"github.com/devguard/devguard/dbguard/activity"
	"github.com/devguard/devguard/dbguard/login"
	"github.com/devguard/devguard/dbguard/session"
	"github.com/devguard/devguard/supervisor/logline"
)

// The lines that the guard writes. Scripts rely on messages and keys.

// What is added to a reason about a pooler, by what is done about it.
const (
	notGuarded = "behind it the sessions of an ended app cannot be told from others, so devguard terminates none there"
	rewritten  = "prepared statements are kept on devguard's side of it"
)

// sayKind writes the `database` line about an upstream, when it has changed.
func (g *Guard) sayKind(u *upstream, v verdict) {
	if v.kind == "" {
		v.kind = unknown
	}
	warn := v.kind == unknown
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
		warn, reason = true, fallen+"; the app uses its own URL"
	}
	g.say(warn, u.subject, string(m), string(v.kind), reason, strings.Join(g.access(u).names, ","))
}

// sayConflict writes the `conflict` line about an error that the app was given.
// The fingerprint has no literals.
func (g *Guard) sayConflict(l *live, e session.Event) {
	logline.Conflict(l.gen, e.SQLState, e.Fingerprint, l.u.subject).To(g.log)
}

// sayStranger reports a client of a fixed address that is not the app's, once for
// each name it goes by: it is served, and no restart ends it.
func (g *Guard) sayStranger(u *upstream, c *login.Client) {
	name := c.Params["application_name"]
	key := "stranger " + u.subject + " " + name
	g.mu.Lock()
	repeated := g.reported[key]
	g.reported[key] = true
	g.mu.Unlock()
	if !repeated {
		logline.Stranger(int(c.Upstream.PID), c.RemoteAddr().String(), u.subject, name).To(g.log)
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
		logline.NotCarried(feature, l.u.subject).To(g.log)
	}
}

// sayOff writes the `database` line about a variable that is not used.
func (g *Guard) sayOff(name, reason string) { g.say(false, name, "off", "", reason, name) }

// say writes a `database` line unless the last one about the subject was the
// same.
func (g *Guard) say(warn bool, subject, mode, kind, reason, names string) {
	text := mode + "\x00" + kind + "\x00" + reason
	g.mu.Lock()
	repeated := g.said[subject] == text
	g.said[subject] = text
	g.mu.Unlock()
	if repeated {
		return
	}
	line := logline.Upstream{Mode: mode, Kind: kind, Reason: reason, Env: names, Name: subject}
	if mode == string(modeOff) {
		line.Name = ""
	}
	logline.Database(line, warn).To(g.log)
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
	g.say(false, "embedded", string(m), string(postgres), reason, "")
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
	logline.Bypass(int(s.PID), remote, u.subject).To(g.log)
}
