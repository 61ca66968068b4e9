package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/reload"
)

// Status answers `devguard status`.
func Status(ctx context.Context, t *Talk) error {
	if t.Open {
		return openPage(ctx, t)
	}
	if t.JSON {
		var raw json.RawMessage
		if err := t.Get(ctx, "/v1/status", &raw); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.Out, "%s\n", raw)
		return err
	}
	var s control.Status
	if err := t.Get(ctx, "/v1/status", &s); err != nil {
		return err
	}
	_, err := io.WriteString(t.Out, statusText(s)+historyText(s.History))
	return err
}

// table is lines of a word and what is to say of it.
type table struct{ strings.Builder }

func (t *table) row(word, format string, args ...any) {
	fmt.Fprintf(t, "%-9s %s\n", word, fmt.Sprintf(format, args...))
}

// statusText is a status for people: first what is served, then what is wrong, then the rest.
func statusText(s control.Status) string {
	var t table
	t.row(s.Devguard.Name, "%s", instanceText(s.Instance))
	for _, f := range s.Failures {
		t.failure(f)
	}
	for _, w := range s.Waits {
		t.row("waits", "%s: %s", w.What, w.Reason)
	}
	t.row("runs", "%s, in %s; devguard has pid %d", s.Devguard.Runs, s.Devguard.Dir, s.Devguard.PID)
	if s.Devguard.Debug != "" {
		t.row("debug", "editors attach to %s", s.Devguard.Debug)
	}
	if s.Devguard.Front != "" {
		t.row("front", "http://%s", s.Devguard.Front)
	}
	t.row("tree", "%s", s.Tree.Doing)
	if text, tell := buildsText(s.Builds); tell {
		t.row("builds", "%s", text)
	}
	for _, h := range s.Hooks {
		t.row("hook", "%s: %s", h.Name, h.State)
	}
	if s.Sockets.Off != "" {
		t.row("sockets", "not held from one restart to the next: %s", s.Sockets.Off)
	}
	for _, a := range s.Sockets.Addresses {
		t.row("socket", "%s: %s", a.Address, a.State)
	}
	for _, d := range s.Databases {
		t.database(d)
	}
	return t.String()
}

// buildsText is what there is to say once a build could have been fast, which the first one never is.
func buildsText(b control.Builds) (text string, tell bool) {
	made := b.Fast
	parts := []string{fmt.Sprintf("%d fast", b.Fast), fmt.Sprintf("%d verified", b.Verified)}
	if b.Differed > 0 {
		parts = append(parts, fmt.Sprintf("%d differed", b.Differed))
	}
	for _, r := range b.Refused {
		made += r.Builds
		parts = append(parts, fmt.Sprintf("%d by the go command: %s", r.Builds, r.Reason))
	}
	return strings.Join(parts, ", "), b.Mode == "auto" && (made > 1 || b.Differed > 0)
}

func instanceText(i control.Instance) string {
	if i.Gen == 0 {
		return "nothing was started yet"
	}
	text := fmt.Sprintf("generation %d ", i.Gen)
	switch {
	case i.Ready:
		text += fmt.Sprintf("is ready, pid %d", i.PID)
	case i.Phase == "running":
		text += fmt.Sprintf("runs and is not ready, pid %d", i.PID)
	case i.Phase == "none":
		text += "was stopped"
	case i.Phase == "failed":
		text += "could not be started"
	case i.Phase == "starting", i.Phase == "stopping", i.Phase == "draining":
		text += "is " + i.Phase
	default:
		text += "has " + i.Phase
	}
	if len(i.Listening) > 0 {
		text += ", listening on " + strings.Join(i.Listening, ", ")
	}
	return text
}

// shownPast is how many generations people are shown; --json has more.
const shownPast = 5

// historyText is the newest generations, one a line.
func historyText(past []control.Past) string {
	var t table
	for _, p := range past[:min(len(past), shownPast)] {
		t.row("past", "generation %d: %s", p.Gen, strings.Join(pastTexts(p), ", "))
	}
	return t.String()
}

func pastTexts(p control.Past) (parts []string) {
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if n := len(p.Hooks); n > 0 {
		say("hook %s %s in %d ms", p.Hooks[n-1].Name, p.Hooks[n-1].Outcome, p.Hooks[n-1].MS)
	}
	if n := len(p.Builds); n > 0 {
		say("build %s in %d ms", p.Builds[n-1].Outcome, p.Builds[n-1].MS)
	}
	if p.Skipped != "" {
		say("not started: %s", p.Skipped)
	}
	if !p.Started.IsZero() {
		say("started %s", p.Started.Format(time.TimeOnly))
	}
	if p.Ready != nil {
		say("ready in %d ms", p.Ready.MS)
	}
	if p.Ready != nil && p.Ready.SaveToReadyMS != nil {
		say("%d ms after the save", *p.Ready.SaveToReadyMS)
	}
	if p.Failed != "" {
		say("failed: %s", p.Failed)
	}
	switch {
	case p.Ended == nil:
	case p.Ended.Signal != "":
		say("ended by %s", p.Ended.Signal)
	default:
		say("exited with %d", p.Ended.Code)
	}
	return parts
}

func (t *table) failure(f control.Failure) {
	if len(f.Errors) == 0 {
		t.row("failed", "%s", reload.Sentence(f.What, f.Error))
	}
	for _, d := range f.Errors {
		t.row("failed", "%s: %s", f.What, diagnosticText(d))
	}
	if more := f.Total - len(f.Errors); more > 0 {
		t.row("", "and %d more", more)
	}
	if f.Hint != "" {
		t.row("", "hint: %s", f.Hint)
	}
}

func diagnosticText(d control.Diagnostic) string {
	switch {
	case d.File == "":
		return d.Text
	case d.Line == 0:
		return d.File + ": " + d.Text
	case d.Column == 0:
		return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Column, d.Text)
}

func (t *table) database(d control.Database) {
	text := d.Name
	if d.Mode != "" {
		text += ": mode " + d.Mode
	}
	if d.Kind != "" {
		text += ", " + d.Kind
	}
	if d.Reason != "" {
		text += " (" + d.Reason + ")"
	}
	t.row("database", "%s; %s", text, many(len(d.Sessions), "session"))
	for _, s := range d.Sessions {
		in := time.Duration(s.InMS) * time.Millisecond
		t.row("", "pid %d of generation %d: %s for %s  %s", s.PID, s.Gen, s.State, in.Round(time.Millisecond), s.Query)
	}
	for _, g := range d.Generations {
		if g.Prepared > 0 || len(g.Conflicts) > 0 {
			t.row("", "generation %d: %s%s", g.Gen, many(g.Prepared, "prepared statement"), conflictsText(g.Conflicts))
		}
	}
}

// conflictsText says how many of each kind there were, by SQLSTATE.
func conflictsText(by map[string]uint64) string {
	var b strings.Builder
	for _, state := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintf(&b, ", %s of %s", many(int(by[state]), "conflict"), state)
	}
	return b.String()
}
