package supervisor

import (
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// idleReason says to clients of the app why it does not run, and what has failed; "" while it runs, or
// something is done that may bring it.
func idleReason(snap reload.Snapshot) string {
	h, waits := waitingStart(snap)
	next := ""
	switch {
	case waits && h.Kind.AsksForChange():
		next = "the next change starts it"
	case waits && h.Kind == reload.ForPause:
		next = "it is started after a pause, or with the next change"
	default:
		return ""
	}
	lines := []string{"the app does not run: " + h.Reason + "; " + next}
	for _, f := range snap.Failures {
		lines = append(lines, failureLines(f)...)
	}
	return strings.Join(lines, "\n")
}

// pauseReason says why the app is started again only after a pause; "" when it is not so.
func pauseReason(snap reload.Snapshot) string {
	if h, waits := waitingStart(snap); !waits || h.Kind != reload.ForBackOff {
		return ""
	}
	return "it is started again after a pause, or with the next change; why it crashed is in the terminal"
}

// waitingStart is what the next start of the app waits for.
func waitingStart(snap reload.Snapshot) (h reload.Hold, waits bool) {
	i := slices.IndexFunc(snap.Holds, func(h reload.Hold) bool { return h.What == "start" })
	if i < 0 {
		return h, false
	}
	return snap.Holds[i], true
}

func failureLines(f reload.Failure) []string {
	found, _ := f.Detail.(logline.Diagnostics)
	if len(found.Shown) == 0 {
		return []string{reload.Sentence(f.What, f.Err.Error())}
	}
	var lines []string
	for _, d := range found.Shown {
		lines = append(lines, d.Position()+d.Msg)
	}
	return lines
}
