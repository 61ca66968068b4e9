package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// Client asks one running devguard.
type Client struct {
	URL   string // of control.json
	Token string
}

// ErrEnded says that the devguard that was asked has ended.
var ErrEnded = logline.WithHint(errors.New("devguard has ended"), "start it again: devguard run")

// Get asks for path, and decodes the answer into into.
func (c Client) Get(ctx context.Context, path string, into any) error {
	return c.ask(ctx, http.MethodGet, path, into)
}

// Post wishes for path, and decodes the answer into into.
func (c Client) Post(ctx context.Context, path string, into any) error {
	return c.ask(ctx, http.MethodPost, path, into)
}

func (c Client) ask(ctx context.Context, method, path string, into any) error {
	body, err := c.open(ctx, method, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return c.lost(ctx)
	}
	return nil
}

// Event is one event of GET /v1/events.
type Event struct {
	Name string // line, lost, status
	Data []byte // JSON: a Line, the number of lines, a State
}

// Events hands over the events until do returns false, or devguard ends, which is ErrEnded.
func (c Client) Events(ctx context.Context, do func(Event) bool) error {
	body, err := c.open(ctx, http.MethodGet, "/v1/events")
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewReader(body)
	var e Event
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			return c.lost(ctx)
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), ": "); name {
		case "event":
			e.Name = value
		case "data":
			e.Data = []byte(value)
		case "":
			if e.Name != "" && !do(e) {
				return nil
			}
			e = Event{}
		}
	}
}

func (c Client) open(ctx context.Context, method, path string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	resp, err := client.Do(r)
	if err != nil {
		return nil, c.lost(ctx)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var p Problem
	if json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&p) != nil || p.Error == "" {
		p = Problem{fmt.Sprintf("devguard answers %s %s with %s", method, path, resp.Status), "it may be of another version: restart it"}
	}
	return nil, logline.WithHint(errors.New(p.Error), p.Hint)
}

// lost is why there is no answer: the caller has gone, or devguard.
func (c Client) lost(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrEnded
}
