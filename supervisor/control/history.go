package control

import (
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
)

// How much of the past is kept: a guess at what somebody looks back at.
const (
	maxPast  = 20 // generations
	maxParts = 10 // builds, and hooks, of one
)

// Past is one generation: what was done for it, what it became, and how it ended. Builds and hooks
// carry the number of the generation that they would make.
type Past struct {
	Gen     int         `json:"gen"`
	Changed []string    `json:"changed"`           // the newest files that it was built for, at most 10
	Hooks   []PastHook  `json:"hooks"`             // the oldest first
	Builds  []PastBuild `json:"builds"`            // the oldest first; none for a restart without a build
	Skipped string      `json:"skipped,omitempty"` // why the newest build led to no restart
	PID     int         `json:"pid,omitempty"`

	Started time.Time   `json:"started,omitzero"`
	Ready   *PastReady  `json:"ready,omitempty"`
	Failed  string      `json:"failed,omitempty"` // why it could not be started, or was not ready in time
	Ended   *PastEnd    `json:"ended,omitempty"`
	Drained []PastDrain `json:"drained"` // its database sessions, one for each database
}

// PastBuild is one build.
type PastBuild struct {
	At      time.Time    `json:"at"`      // of its end
	Outcome string       `json:"outcome"` // finished, failed, cancelled
	MS      int64        `json:"ms"`
	Error   string       `json:"error,omitempty"`
	Errors  []Diagnostic `json:"errors,omitempty"` // the first ones
	Total   int          `json:"total,omitempty"`  // how many there are
	Way     string       `json:"way,omitempty"`    // fast: without the go command
	ByGo    string       `json:"by_go,omitempty"`  // why it was not built fast
	Check   string       `json:"check,omitempty"`  // of a fast one, what the go command builds of the same files: same, differs
}

// PastHook is one run of a hook. Its output is not copied: it is on the terminal.
type PastHook struct {
	At      time.Time `json:"at"` // of its end
	Name    string    `json:"name"`
	Outcome string    `json:"outcome"` // finished, failed
	MS      int64     `json:"ms"`
	Code    int       `json:"code,omitempty"`
	Signal  string    `json:"signal,omitempty"`
	Error   string    `json:"error,omitempty"`
	Hint    string    `json:"hint,omitempty"`
}

// PastReady is when a generation served.
type PastReady struct {
	At            time.Time `json:"at"`
	Rule          string    `json:"rule"` // http, tcp, listening, alive
	MS            int64     `json:"ms"`   // since its start
	SaveToReadyMS *int64    `json:"save_to_ready_ms,omitempty"`

	// What has led to it: absent is what did not happen, or cannot be told.
	SettleMS  *int64 `json:"settle_ms,omitempty"`
	HooksMS   *int64 `json:"hooks_ms,omitempty"`
	BuildMS   *int64 `json:"build_ms,omitempty"`
	CompileMS *int64 `json:"compile_ms,omitempty"`
	LinkMS    *int64 `json:"link_ms,omitempty"`
	StopMS    *int64 `json:"stop_ms,omitempty"`
	DrainMS   *int64 `json:"drain_ms,omitempty"`
	StartMS   *int64 `json:"start_ms,omitempty"`
}

// PastEnd is how a generation ended.
type PastEnd struct {
	At     time.Time `json:"at"`
	Code   int       `json:"code"` // -1 with a signal
	Signal string    `json:"signal,omitempty"`
	HungUp int       `json:"hung_up,omitempty"` // connections that were ended for its stop
}

// PastDrain is what was left of a generation in one database. A number that could not be known is
// absent.
type PastDrain struct {
	Database   string `json:"database"`
	Sessions   *int   `json:"sessions,omitempty"`
	Cancelled  *int   `json:"cancelled,omitempty"`
	RolledBack *int   `json:"rolled_back,omitempty"`
	Terminated *int   `json:"terminated,omitempty"`
	Statements *int   `json:"statements,omitempty"`
	Left       *int   `json:"left,omitempty"`
	MS         int64  `json:"ms"`
}

// history makes the past of the lines of the log, whose form is a promise. The zero value is ready.
type history struct {
	mu  sync.Mutex
	all []*known // the oldest first
}

// known is what is known of the past of a generation.
type known struct {
	Past
	hungUp int    // that of Ended, which may be said before it
	byGo   string // that of the next build that has finished
}

// entry is what a line may say.
type entry struct {
	Gen    int
	PID    int
	Hook   string
	MS     int64
	Code   int
	Signal string
	Error  string
	Hint   string
	Reason string
	Way    string
	Paths  []string
	HungUp int `json:"hung_up"`
}

// parts are the lines that the past is made of.
var parts = []string{
	logline.MsgChanged, logline.MsgBuildByGo, logline.MsgBuildVerified, logline.MsgBuildDiffers,
	logline.MsgHookFinished, logline.MsgHookFailed, logline.MsgBuildFinished, logline.MsgBuildFailed, logline.MsgBuildCancelled,
	logline.MsgRestartSkipped, logline.MsgInstanceStarted, logline.MsgInstanceReady, logline.MsgInstanceNotReady, logline.MsgStartFailed,
	logline.MsgInstanceStopping, logline.MsgInstanceExited, logline.MsgDrained,
}

// add takes a record into account; line is its JSON.
func (h *history) add(r slog.Record, line []byte) {
	var e entry
	if !slices.Contains(parts, r.Message) || json.Unmarshal(line, &e) != nil || e.Gen <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.of(e.Gen)
	switch r.Message {
	case logline.MsgHookFinished, logline.MsgHookFailed:
		outcome := map[bool]string{true: "finished", false: "failed"}[r.Message == logline.MsgHookFinished]
		g.Hooks = newest(append(g.Hooks, PastHook{r.Time, e.Hook, outcome, e.MS, e.Code, e.Signal, e.Error, e.Hint}))
	case logline.MsgChanged:
		g.Changed = newest(append(g.Changed, e.Paths...))
	case logline.MsgBuildByGo:
		g.byGo = e.Reason
	case logline.MsgBuildVerified:
		h.check("same")
	case logline.MsgBuildDiffers:
		h.check("differs")
	case logline.MsgBuildFinished:
		b := PastBuild{At: r.Time, Outcome: "finished", MS: e.MS, Way: e.Way, ByGo: g.byGo}
		g.Builds, g.Skipped, g.byGo = newest(append(g.Builds, b)), "", ""
	case logline.MsgBuildCancelled:
		g.Builds = newest(append(g.Builds, PastBuild{At: r.Time, Outcome: "cancelled", MS: e.MS}))
	case logline.MsgBuildFailed:
		b := PastBuild{At: r.Time, Outcome: "failed", MS: e.MS, Error: e.Error}
		b.Errors, b.Total = diagnosticsOf(r)
		g.Builds = newest(append(g.Builds, b))
	case logline.MsgRestartSkipped:
		g.Skipped = e.Reason
	case logline.MsgInstanceStarted:
		g.PID, g.Started, g.Failed = e.PID, r.Time, ""
	case logline.MsgInstanceReady:
		if ready := (PastReady{At: r.Time}); json.Unmarshal(line, &ready) == nil {
			g.Ready = &ready
		}
	case logline.MsgInstanceNotReady, logline.MsgStartFailed:
		g.Failed = e.Error
	case logline.MsgInstanceExited:
		g.Ended = &PastEnd{r.Time, e.Code, e.Signal, g.hungUp}
	case logline.MsgInstanceStopping:
		g.hangUp(e.HungUp)
	case logline.MsgDrained:
		var d PastDrain
		if json.Unmarshal(line, &d) == nil {
			g.Drained = append(g.Drained, d)
		}
	}
}

// check takes into account what the go command has made of the files of the newest build, if that
// was a fast one. It may be of an earlier generation than the line that says so.
func (h *history) check(outcome string) {
	for _, g := range slices.Backward(h.all) {
		for i, b := range slices.Backward(g.Builds) {
			if b.Outcome != "finished" {
				continue
			}
			if b.Way != "" {
				g.Builds[i].Check = outcome // what was answered before is a copy
			}
			return
		}
	}
}

// hangUp takes into account how many connections were ended for the stop: none where it begins. That
// is known only at its end, and the app may exit before or after.
func (g *known) hangUp(n int) {
	if g.hungUp = n; g.Ended != nil {
		end := *g.Ended // answers that were given before share it
		end.HungUp = n
		g.Ended = &end
	}
}

// of returns the record of a generation, which is made when there is none.
func (h *history) of(gen int) *known {
	if i := slices.IndexFunc(h.all, func(g *known) bool { return g.Gen == gen }); i >= 0 {
		return h.all[i]
	}
	g := &known{Past: Past{Gen: gen, Changed: []string{}, Hooks: []PastHook{}, Builds: []PastBuild{}, Drained: []PastDrain{}}}
	h.all = newestOf(append(h.all, g), maxPast)
	return g
}

// past returns a copy, the newest first.
func (h *history) past() []Past {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Past, 0, len(h.all))
	for _, g := range slices.Backward(h.all) {
		one := g.Past // what it points to is not changed any more
		one.Changed = slices.Clone(g.Changed)
		one.Hooks, one.Builds, one.Drained = slices.Clone(g.Hooks), slices.Clone(g.Builds), slices.Clone(g.Drained)
		all = append(all, one)
	}
	return all
}

func newest[T any](all []T) []T { return newestOf(all, maxParts) }

func newestOf[T any](all []T, most int) []T {
	if len(all) > most {
		return slices.Clone(all[len(all)-most:])
	}
	return all
}

// diagnosticsOf are the messages of a failed build.
func diagnosticsOf(r slog.Record) (all []Diagnostic, total int) {
	r.Attrs(func(a slog.Attr) bool {
		if d, ok := a.Value.Any().(logline.Diagnostics); ok {
			all, total = diagnostics(d), d.Total
		}
		return total == 0
	})
	return all, total
}
