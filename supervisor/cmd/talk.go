package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/statedir"
)

// Talk is a verb that asks a running devguard, and that devguard.
type Talk struct {
	control.Client
	Out      io.Writer
	JSON     bool
	Follow   bool
	Open     bool          // of Status
	Timeout  time.Duration // of Wait
	AwaitEnd func() error  // returns once that devguard has ended
}

// NewTalk finds the devguard that a command line means.
func NewTalk(c *cli.Context) (*Talk, error) {
	r, err := runningFor(c)
	if err != nil {
		return nil, err
	}
	return &Talk{
		Client: control.Client{URL: r.URL, Token: r.Token}, Out: os.Stdout, JSON: c.Bool("json"), Follow: c.Bool("follow"), Open: c.Bool("open"), Timeout: c.Duration("timeout"),
		AwaitEnd: r.AwaitEnd,
	}, nil
}

// NewAgent returns an Agent for a command line.
func NewAgent(c *cli.Context, version string, explain func(ctx context.Context, file string) (string, error)) Agent {
	find := func() (control.Client, error) {
		r, err := runningFor(c)
		return control.Client{URL: r.URL, Token: r.Token}, err
	}
	return Agent{Version: version, Find: find, Explain: explain}
}

func runningFor(c *cli.Context) (statedir.Running, error) {
	dir, err := filepath.Abs(c.String(DirFlag))
	if err != nil {
		return statedir.Running{}, err
	}
	return running(dir, c.String("name"))
}

// runningPackage returns the package that the devguard of a command line runs, and the directory
// that it is relative to; "" when none runs there, or it runs a command.
func runningPackage(ctx context.Context, c *cli.Context) (dir, pkg string, err error) {
	r, err := runningFor(c)
	var none *NotRunningError
	if errors.As(err, &none) && none.Several == 0 {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	var s control.Status
	if err := (control.Client{URL: r.URL, Token: r.Token}).Get(ctx, "/v1/status", &s); err != nil || !strings.HasPrefix(s.Devguard.Runs, ".") {
		return "", "", err
	}
	return s.Devguard.Dir, s.Devguard.Runs, nil
}

// NotRunningError says that there is no devguard to ask, or not just one.
type NotRunningError struct {
	Msg     string
	Next    string
	Several int // how many there are; 0 when there is none
}

// Error says what was found.
func (e *NotRunningError) Error() string { return e.Msg }

// Hint says what to type.
func (e *NotRunningError) Hint() string { return e.Next }

// runningAt returns the devguards that run in dir, or in the nearest parent where one does, as far up
// as there may be a configuration, and which directory that is.
func runningAt(dir string) (found []statedir.Running, at string) {
	for _, at := range config.Places(dir) {
		if found := statedir.Find(at); len(found) > 0 {
			return found, at
		}
	}
	return nil, ""
}

// running returns the devguard of that name, or the only one, of those that runningAt finds.
func running(dir, name string) (statedir.Running, error) {
	if found, at := runningAt(dir); len(found) > 0 {
		return chosen(found, name, at)
	}
	what, start := "no devguard runs", "devguard run"
	if name != "" {
		what, start = fmt.Sprintf("no devguard %q runs", name), "devguard run --name "+name
	}
	return statedir.Running{}, &NotRunningError{Msg: what + " in " + dir + " or above it", Next: "start it: " + start + "; elsewhere: -C DIR"}
}

func chosen(found []statedir.Running, name, dir string) (statedir.Running, error) {
	var names []string
	for _, r := range found {
		if r.Name == name || name == "" && len(found) == 1 {
			return r, nil
		}
		names = append(names, r.Name)
	}
	list := strings.Join(names, ", ")
	if name == "" {
		return statedir.Running{}, &NotRunningError{fmt.Sprintf("%d devguards run in %s: %s", len(found), dir, list), "say which: --name " + names[0], len(found)}
	}
	return statedir.Running{}, &NotRunningError{fmt.Sprintf("no devguard %q runs in %s, but %s", name, dir, list), "write: --name " + names[0], len(found)}
}

// Restart answers `devguard restart`.
func Restart(ctx context.Context, t *Talk) error { return t.Post(ctx, "/v1/restart", &struct{}{}) }

// Stop answers `devguard stop`.
func Stop(ctx context.Context, t *Talk) error {
	if err := t.Post(ctx, "/v1/stop", &struct{}{}); err != nil && !errors.Is(err, control.ErrEnded) {
		return err
	}
	return t.AwaitEnd()
}

// ResetConnections answers `devguard reset-connections`.
func ResetConnections(ctx context.Context, t *Talk) error {
	var done control.Resets
	if err := t.Post(ctx, "/v1/reset-connections", &done); err != nil {
		return err
	}
	if t.JSON {
		return json.NewEncoder(t.Out).Encode(done)
	}
	_, err := io.WriteString(t.Out, resetText(done))
	return err
}

func resetText(done control.Resets) string {
	if len(done.Databases) == 0 {
		return "the app uses no database that devguard knows of\n"
	}
	var b strings.Builder
	for _, r := range done.Databases {
		b.WriteString(resetLine(r))
	}
	return b.String()
}

func resetLine(r control.Reset) string {
	if r.Reason != "" {
		return fmt.Sprintf("%s: nothing was done: %s\n", r.Database, r.Reason)
	}
	text := fmt.Sprintf("%s: %s ended, %s cancelled, %s rolled back, %s gone", r.Database,
		many(r.Sessions, "session"), many(r.Cancelled, "statement"), many(r.RolledBack, "transaction"), many(r.Statements, "prepared statement"))
	if r.Left > 0 {
		text += fmt.Sprintf("; %d did not end in time, and were cut off", r.Left)
	}
	return text + "\n"
}

func many(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Logs answers `devguard logs`. The lines that there are come before the first status.
func Logs(ctx context.Context, t *Talk) error {
	var failed error
	err := t.Events(ctx, func(e control.Event) bool {
		failed = t.logEvent(e)
		return failed == nil && (t.Follow || e.Name != "status")
	})
	if t.Follow && errors.Is(err, control.ErrEnded) {
		return nil
	}
	return errors.Join(err, failed)
}

func (t *Talk) logEvent(e control.Event) error {
	switch e.Name {
	case "lost":
		_, err := fmt.Fprintln(os.Stderr, "devguard: older lines are not kept:", string(e.Data))
		return err
	case "line":
		var line control.Line
		if err := json.Unmarshal(e.Data, &line); err != nil {
			return fmt.Errorf("a line of the log: %w", err)
		}
		text := line.Text
		if t.JSON {
			text = string(line.Line)
		}
		if text != "" {
			_, err := fmt.Fprintln(t.Out, text)
			return err
		}
	}
	return nil
}
