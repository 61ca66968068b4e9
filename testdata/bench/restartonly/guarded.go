package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"example.com/bench/run"
)

// guarded is the program under devguard.
type guarded struct {
	contender
	*app
	log     string
	process *run.Process
	read    int       // bytes of the log that were read
	ready   time.Time // since when the newest generation is

	byLog    []times         // by round
	byClient []time.Duration // from what asks for the restart to the answer of the next generation
}

// times are how long the parts of a restart took, each from the one before: the first from what asks for
// it.
type times map[string]time.Duration

// The lines of the log by which the parts end.
var parts = []string{built, "instance stopping", "instance exited", "drained", "instance started", "instance ready"}

func prepare(ctx context.Context, o options, work string, env []string) (*byHand, []*guarded, error) {
	hand, err := newByHand(ctx, o, work, env)
	if err != nil {
		return nil, nil, err
	}
	if err := hand.restart(ctx, 0); err != nil {
		return nil, nil, err
	}
	var all []*guarded
	for i, c := range o.contenders() {
		fmt.Fprintln(os.Stderr, "starting:", c.name)
		g := &guarded{contender: c, log: filepath.Join(work, fmt.Sprintf("devguard-%d.log", i))}
		if g.app, err = newApp(o, work, fmt.Sprintf("app-%d", i), env); err == nil {
			err = g.start(ctx, o, filepath.Join(work, "devguard-"+filepath.Base(c.repo)))
		}
		if err != nil {
			hand.stop()
			for _, g := range all {
				g.stop()
			}
			return nil, nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, g)
	}
	return hand, all, nil
}

// start returns when the program answers.
func (g *guarded) start(ctx context.Context, o options, devguard string) error {
	repo := o.repo
	if g.repo != "" {
		repo = g.repo
	}
	if err := run.Build(ctx, repo, "devguard", devguard, os.Environ()); err != nil {
		return err
	}
	text := fmt.Sprintf("[app]\npackage = %q\n%s", g.pkg, g.toml)
	if o.by == byRequest {
		text += "[watch]\ninclude = []\n" // the template is changed first
	}
	want, err := g.change()
	if err == nil {
		err = os.WriteFile(filepath.Join(g.dir, "devguard.toml"), []byte(text), 0o644)
	}
	if err == nil {
		g.process, err = run.Start(g.dir, g.log, g.env, nil, devguard, "run", "--log-format", "json")
	}
	if err != nil {
		return err
	}
	if _, err = g.await(ctx, want); err == nil {
		_, err = g.awaitReady(ctx)
	}
	if err != nil {
		g.stop()
		return fmt.Errorf("%w\n%s", err, run.Tail(g.log))
	}
	return nil
}

func (g *guarded) stop() { g.process.Stop(syscall.SIGINT, 10*time.Second) }

// restartByLog measures one that nobody but devguard looks at. Nothing is recorded of round 0.
func (g *guarded) restartByLog(ctx context.Context, by string, round int) error {
	_, begun, err := g.ask(ctx, by)
	if err != nil {
		return err
	}
	at, err := g.awaitReady(ctx)
	if err == nil && round > 0 {
		g.byLog = append(g.byLog, between(begun, at))
	}
	return err
}

// restartByClient measures one from outside. Nothing is recorded of round 0.
func (g *guarded) restartByClient(ctx context.Context, by string, round int) error {
	want, begun, err := g.ask(ctx, by)
	if err != nil {
		return err
	}
	served, err := g.await(ctx, want)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", g.name, err, run.Tail(g.log))
	}
	at, err := g.awaitReady(ctx)
	if made, said := at[built]; said {
		begun = made
	}
	if err == nil && round > 0 {
		g.byClient = append(g.byClient, served.Sub(begun))
	}
	return err
}

// unsuspicious is how long after a start a change of the template is no sign that the program writes it.
const unsuspicious = 2100 * time.Millisecond

// ask asks for a restart.
func (g *guarded) ask(ctx context.Context, by string) (want string, begun time.Time, err error) {
	if by == bySave {
		run.Pause(ctx, time.Until(g.ready.Add(unsuspicious)))
		begun = time.Now()
		want, err = g.change()
		return want, begun, err
	}
	if want, err = g.change(); err != nil {
		return "", begun, err
	}
	run.Pause(ctx, rest)
	r, err := g.request(ctx)
	if err != nil {
		return "", begun, err
	}
	begun = time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", begun, err
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return "", begun, fmt.Errorf("devguard answers %s", answer.Status)
	}
	return want, begun, nil
}

// request is what `devguard restart` makes.
func (g *guarded) request(ctx context.Context) (*http.Request, error) {
	files, err := filepath.Glob(filepath.Join(g.dir, ".devguard", "*", "control.json"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("%d files control.json", len(files))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	var control struct{ URL, Token string }
	if err := json.Unmarshal(text, &control); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, control.URL+"/v1/restart", nil)
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+control.Token)
	}
	return r, err
}

// awaitReady reads the log until a generation is ready, and returns when its lines were written.
func (g *guarded) awaitReady(ctx context.Context) (map[string]time.Time, error) {
	at := map[string]time.Time{}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; run.Pause(ctx, 20*time.Millisecond) {
		text, err := os.ReadFile(g.log)
		if err != nil {
			return nil, err
		}
		text = text[g.read:]
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		g.read += len(text)
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var l struct {
				Time time.Time
				Msg  string
			}
			if json.Unmarshal(lines.Bytes(), &l) != nil {
				continue // a line of the program's
			}
			if at[l.Msg].IsZero() || l.Msg == "drained" { // that is said of each database
				at[l.Msg] = l.Time
			}
		}
		if g.ready = at["instance ready"]; !g.ready.IsZero() {
			return at, nil
		}
	}
	return nil, fmt.Errorf("%s: no generation was ready\n%s", g.name, run.Tail(g.log))
}

// between returns the parts of a restart, and how long all of it took, without a build.
func between(begun time.Time, at map[string]time.Time) times {
	t := times{}
	last := begun
	for _, msg := range parts {
		now, said := at[msg]
		if !said {
			continue
		}
		if t[msg], last = now.Sub(last), now; msg == built {
			begun = now
		}
	}
	t[whole] = last.Sub(begun)
	return t
}

const (
	whole = "whole"
	built = "build finished" // what asks for a restart by a request has the program built first, which does not count
)
