package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/examine"
	"github.com/devguard/devguard/supervisor/reload"
	"github.com/devguard/devguard/supervisor/statedir"
)

// DoctorFlags are the flags of doctor.
func DoctorFlags() []cli.Flag {
	return append(PlaceFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON"})
}

// Doctor prints what package doctor makes of the facts. A problem is exit code 1.
func Doctor(w io.Writer, f doctor.Facts, asJSON bool) error {
	r := doctor.Examine(f)
	var err error
	if asJSON {
		to := json.NewEncoder(w)
		to.SetEscapeHTML(false)
		err = to.Encode(r)
	} else {
		_, err = io.WriteString(w, reportText(r))
	}
	if err == nil && r.Problems > 0 {
		return &CodeError{Code: 1}
	}
	return err
}

// reportText is a report for people.
func reportText(r doctor.Report) string {
	var b strings.Builder
	for _, l := range r.Lines {
		fmt.Fprintf(&b, "%-8s %s\n", l.State, l.Text)
		if l.Fix != "" {
			fmt.Fprintf(&b, "%-8s fix: %s\n", "", l.Fix)
		}
	}
	if r.Problems+r.Warnings == 0 {
		b.WriteString("all is well\n")
	} else {
		fmt.Fprintf(&b, "%s, %s\n", many(r.Problems, "problem"), many(r.Warnings, "warning"))
	}
	return b.String()
}

// askWait bounds how long doctor waits for a devguard that runs.
const askWait = 2 * time.Second

// RunningHere returns the devguards that run in dir, or in the nearest parent where one does, with
// what they say of themselves.
func RunningHere(ctx context.Context, dir string) (all []examine.Running) {
	found, _ := runningAt(dir)
	for _, r := range found {
		all = append(all, described(ctx, r))
	}
	return all
}

// failedThere is what has failed in a devguard, each in one line.
func failedThere(s control.Status) (all []doctor.Trouble) {
	for _, f := range s.Failures {
		text := f.Error
		if len(f.Errors) > 0 {
			text = diagnosticText(f.Errors[0])
		}
		text, _, _ = strings.Cut(reload.Sentence(f.What, text), "\n")
		all = append(all, doctor.Trouble{Text: text, Fix: f.Hint})
	}
	if s.Instance.Phase == "crashed" {
		all = append(all, doctor.Trouble{Text: "the app crashed", Fix: "its output is in the terminal of devguard run"})
	}
	return all
}

// described asks a devguard what it has. One that does not answer has its control server.
func described(ctx context.Context, r statedir.Running) examine.Running {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	d := examine.Running{Running: doctor.Running{Name: r.Name, PID: r.PID}}
	if u, err := url.Parse(r.URL); err == nil {
		if port, err := strconv.Atoi(u.Port()); err == nil {
			d.Ports = append(d.Ports, port)
		}
	}
	var s control.Status
	client := control.Client{URL: r.URL, Token: r.Token}
	if client.Get(ctx, "/v1/status", &s) != nil {
		return d
	}
	addresses := s.Instance.Listening
	for _, a := range s.Sockets.Addresses {
		if a.Kind != "let go" {
			addresses = append(addresses, a.Address)
		}
	}
	for _, address := range addresses {
		if at, err := netip.ParseAddrPort(address); err == nil {
			d.Ports = append(d.Ports, int(at.Port()))
		}
	}
	d.Failed = failedThere(s)
	for _, h := range s.Hooks {
		d.Hooks = append(d.Hooks, h.Name)
	}
	return d
}
