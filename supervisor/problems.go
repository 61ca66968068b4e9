package supervisor

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/front"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// problemsOf returns what a page is to show of the state, with links that open the editor. File names are
// relative to dir.
func problemsOf(snap reload.Snapshot, dir, editor string) []front.Problem {
	note := "nothing serves"
	if snap.Ready {
		note = fmt.Sprintf("generation %d still serves", snap.Gen)
	}
	var all []front.Problem
	for _, f := range snap.Failures {
		p := front.Problem{Title: titleOf(f.What), Text: f.Err.Error(), Note: note}
		if found, _ := f.Detail.(logline.Diagnostics); len(found.Shown) > 0 {
			p.Text, p.Places = "", placesOf(found, dir, editor)
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
		all = append(all, front.Problem{Title: "the app crashed", Text: "why is in the terminal", Note: note})
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

// placesOf are the messages of a build, with the lines around them as they were when it had failed.
func placesOf(found logline.Diagnostics, dir, editor string) []front.Place {
	var all []front.Place
	for i, d := range found.Shown {
		place := front.Place{Where: strings.TrimSuffix(d.Position(), ": "), Text: d.Msg, Line: d.Line}
		around := found.Excerpt(i)
		for n, text := range around.Lines {
			place.Source = append(place.Source, front.Source{N: around.First + n, Text: text})
		}
		if place.Source != nil {
			name := d.File
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			place.Link = front.EditorLink(editor, name, d.Line, d.Col)
		}
		all = append(all, place)
	}
	return all
}
