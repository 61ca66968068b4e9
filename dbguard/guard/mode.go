package guard

import "github.com/devguard/devguard/supervisor/logline"

// mode is what is done with the sessions of an upstream, in the words of the
// configuration and of the log.
type mode string

const (
	modeAuto        mode = "auto"
	modeSession     mode = "session"     // through us, bytes as they are
	modeTransaction mode = "transaction" // through us, prepared statements rewritten
	modeDrain       mode = "drain"       // past us; ended after each generation
	modeOff         mode = "off"
)

// proxies reports whether the app's URL leads to us in this mode.
func (m mode) proxies() bool { return m == modeAuto || m == modeSession || m == modeTransaction }

// decide returns what is done with an upstream for which the configuration has a
// wish, of which a probe has found v; fallback is why the app goes past us for good,
// "" when it does not. It is modeAuto while nothing is known.
//
// What pools in a way that could not be found out is taken for a transaction
// pooler: what is done for one is right on any server, the other way round not.
func decide(wish mode, fallback string, v verdict) mode {
	switch {
	case fallback != "":
		return modeDrain
	case wish != modeAuto:
		return wish
	case !v.connected:
		return modeAuto
	case v.kind == postgres || v.kind == sessionPooler:
		return modeSession
	}
	return modeTransaction
}

// What is added to a reason about a pooler, by what is done about it.
const (
	notGuarded = "behind it the sessions of an ended app cannot be told from others, so devguard terminates none there"
	rewritten  = "prepared statements are kept on devguard's side of it"
)

// asLast returns what is said of a server that does not answer now, but did: v, with what
// is behind it as it was. What is done for its clients is still decided by that.
func (v verdict) asLast(last verdict) verdict {
	if v.connected || !last.connected {
		return v
	}
	return verdict{kind: last.kind, reason: v.reason + "; " + lastReached[last.kind], reached: v.reached}
}

// lastReached says what a server was that does not answer now.
var lastReached = map[kind]string{
	postgres:          "when it answered last, it was a Postgres reached directly",
	sessionPooler:     "when it answered last, it was a session pooler",
	transactionPooler: "when it answered last, it was a transaction pooler",
	unknown:           "when it answered last, it pooled sessions in a way that could not be found out",
}

// databaseLine returns what a `database` line says of a decision, and whether it is a
// warning.
func databaseLine(m mode, fallback string, v verdict) (line logline.Upstream, warn bool) {
	if v.kind == "" {
		v.kind = unknown
	}
	reason, warn := v.reason, v.kind == unknown || !v.connected
	switch {
	case m == modeAuto:
		m = modeSession // until the server is there to say otherwise
	case m == modeTransaction && v.connected:
		reason += "; " + rewritten
	case m == modeDrain && v.connected && v.kind != postgres:
		reason += "; " + notGuarded
	}
	if fallback != "" {
		warn, reason = true, fallback+"; the app uses its own URL"
	}
	return logline.Upstream{Mode: string(m), Kind: string(v.kind), Reason: reason}, warn
}
