package guard

import (
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	down := verdict{kind: unknown}
	direct := verdict{kind: postgres, reached: true, connected: true}
	starved := unknown.verdict("no server was free")
	for _, c := range []struct {
		name     string
		wish     mode
		fallback string
		v        verdict
		want     mode
	}{
		{"nothing is known", modeAuto, "", verdict{}, modeAuto},
		{"the server is down", modeAuto, "", down, modeAuto},
		{"a server", modeAuto, "", direct, modeSession},
		{"a session pooler", modeAuto, "", sessionPooler.verdict(""), modeSession},
		{"a transaction pooler", modeAuto, "", transactionPooler.verdict(""), modeTransaction},
		{"a pooler of some kind", modeAuto, "", starved, modeTransaction},
		{"as the user wishes", modeSession, "", transactionPooler.verdict(""), modeSession},
		{"as the user wishes, before the probe", modeTransaction, "", verdict{}, modeTransaction},
		{"past us", modeAuto, "devguard cannot log in", direct, modeDrain},
		{"past us, whatever the user wishes", modeSession, "sslcrl", direct, modeDrain},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(c.wish, c.fallback, c.v); got != c.want {
				t.Errorf("mode %s, want %s", got, c.want)
			}
		})
	}
}

func TestDatabaseLine(t *testing.T) {
	for _, c := range []struct {
		name     string
		m        mode
		fallback string
		v        verdict
		want     string
		warn     bool
	}{
		{"until the server is there", modeAuto, "", verdict{kind: unknown, reason: "nothing listens there"}, "session unknown nothing listens there", true},
		{"nothing is known", modeDrain, "", verdict{}, "drain unknown ", true},
		{"a pooler that is rewritten", modeTransaction, "", transactionPooler.verdict("it pools"), "transaction transaction-pooler it pools; " + rewritten, false},
		{"a pooler that is not guarded", modeDrain, "", sessionPooler.verdict("it pools"), "drain session-pooler it pools; " + notGuarded, false},
		{"past us", modeDrain, "sslcrl", verdict{kind: postgres, connected: true}, "drain postgres sslcrl; the app uses its own URL", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, warn := databaseLine(c.m, c.fallback, c.v)
			if got := strings.Join([]string{line.Mode, line.Kind, line.Reason}, " "); got != c.want || warn != c.warn {
				t.Errorf("%q, a warning: %v; want %q, %v", got, warn, c.want, c.warn)
			}
		})
	}
}

func TestVerdictAsLast(t *testing.T) {
	down := verdict{kind: unknown, reason: "nothing listens there"}
	full := verdict{kind: unknown, reason: "the server refuses us", reached: true}
	pooled := transactionPooler.verdict("a transaction pooler")
	starved := unknown.verdict("no server was free")
	for _, c := range []struct {
		name    string
		v, last verdict
		want    string
		warn    bool
	}{
		{"it never answered", down, verdict{}, "session unknown nothing listens there", true},
		{"a pooler that is down", down, pooled, "transaction transaction-pooler nothing listens there; when it answered last, it was a transaction pooler", true},
		{"a pooler that is full", full, pooled, "transaction transaction-pooler the server refuses us; when it answered last, it was a transaction pooler", true},
		{"a server that is down", down, verdict{kind: postgres, connected: true}, "session postgres nothing listens there; when it answered last, it was a Postgres reached directly", true},
		{"a pooler of some kind that is down", down, starved, "transaction unknown nothing listens there; when it answered last, it pooled sessions in a way that could not be found out", true},
		{"a pooler that is back", pooled, pooled, "transaction transaction-pooler a transaction pooler; " + rewritten, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := decide(modeAuto, "", c.v)
			if m == modeAuto {
				m = decide(modeAuto, "", c.last)
			}
			line, warn := databaseLine(m, "", c.v.asLast(c.last))
			if got := strings.Join([]string{line.Mode, line.Kind, line.Reason}, " "); got != c.want || warn != c.warn {
				t.Errorf("%q, a warning: %v; want %q, %v", got, warn, c.want, c.warn)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	l := labels{run: runA, previous: []string{runB}}
	for _, c := range []struct {
		name  string
		gen   int
		ended bool
	}{
		{l.of(1), 2, true},
		{l.of(2), 2, true},
		{l.of(3), 2, false},
		{l.of(3) + "x", 9, false},
		{labels{run: runB}.of(7), 0, true},
		{"psql", 2, true}, // found by its socket
	} {
		if got := l.ended(c.name, c.gen); got != c.ended {
			t.Errorf("%s has ended with generation %d: %v", c.name, c.gen, got)
		}
	}
	if list := l.prefixes(0); len(list) != 1 || !strings.HasPrefix(labels{run: runB}.of(1), list[0]) {
		t.Errorf("without a generation: %q", list)
	}
	if list := l.prefixes(1); len(list) != 2 || len(list[0]) != len(list[1]) {
		t.Errorf("with one: %q", list)
	}
}
