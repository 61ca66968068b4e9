package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// problem is something that has failed, before its source was read.
type problem struct {
	front.Problem
	at []logline.Diagnostic // of Places
}

// problemsOf returns what a page is to show of the state. It does no I/O.
func problemsOf(snap reload.Snapshot) []problem {
	note := "nothing serves"
	if snap.Ready {
		note = fmt.Sprintf("generation %d still serves", snap.Gen)
	}
	var all []problem
	for _, f := range snap.Failures {
		p := problem{Problem: front.Problem{Title: titleOf(f.What), Text: f.Err.Error(), Note: note}}
		if found, _ := f.Detail.(logline.Diagnostics); len(found.Shown) > 0 {
			p.Text, p.at = "", found.Shown
			if more := found.Total - len(found.Shown); more > 0 {
				p.Text = fmt.Sprintf("%d messages, the first %d:", found.Total, len(found.Shown))
			}
		}
		if hint := logline.HintOf(f.Err); hint != "" {
			p.Text = strings.TrimSpace(p.Text + "\nhint: " + hint)
		}
		if f.What == "ready" {
			p.NotReady = snap.Gen
		}
		all = append(all, p)
	}
	if snap.Phase == "crashed" {
		all = append(all, problem{Problem: front.Problem{Title: "the app crashed", Text: "why is in the terminal", Note: note}})
	}
	return all
}

func titleOf(what string) string {
	switch what {
	case "configuration":
		return "devguard.toml is not valid"
	case "start":
		return "the app could not be started"
	case "ready":
		return "the app is not ready"
	}
	return what + " failed"
}

// around is how many lines are shown before and behind the one that a message is about.
const around = 3

// withSource reads the lines around the places of a problem. File names are relative to dir.
func (p problem) withSource(dir, editor string) front.Problem {
	out := p.Problem
	out.Places = nil
	for _, d := range p.at {
		place := front.Place{Where: strings.TrimSuffix(d.Position(), ": "), Text: d.Msg, Line: d.Line}
		if d.File != "" && d.Line > 0 {
			name := d.File
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			place.Source = linesAround(name, d.Line)
			if place.Source != nil {
				place.Link = front.EditorLink(editor, name, d.Line, d.Col)
			}
		}
		out.Places = append(out.Places, place)
	}
	return out
}

// linesAround reads the lines around one; none when it cannot be read.
func linesAround(name string, line int) (source []front.Source) {
	// Only a regular file: opening a pipe would wait for ever.
	if fi, err := os.Stat(name); err != nil || !fi.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close() // only read from
	lines := bufio.NewScanner(file)
	for n := 1; n <= line+around && lines.Scan(); n++ {
		if n >= line-around {
			source = append(source, front.Source{N: n, Text: lines.Text()})
		}
	}
	return source
}
