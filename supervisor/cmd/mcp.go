package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/devguard/devguard/supervisor/control"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/reload"
)

// Agent is what a coding agent may ask and wish for, by the Model Context Protocol. Each call looks
// anew for the devguard that runs: it may be started after the agent, and started again.
type Agent struct {
	Version string // of devguard
	// Find returns the devguard that runs, or a *NotRunningError.
	Find func() (control.Client, error)
	// Explain says what a change of a file would do.
	Explain func(ctx context.Context, file string) (string, error)
}

// instructions are what an agent is told of the tools once.
const instructions = `devguard rebuilds and restarts the app of this project when a file is saved. After an edit call wait: ` +
	`it answers once what you saved is served, or says why it is not, with file:line:column. Do not build or start the app yourself.`

// errorsURI names the current errors.
const errorsURI = "devguard://errors"

// Serve answers over a transport until the other side leaves or ctx ends.
func (a Agent) Serve(ctx context.Context, over mcp.Transport) error {
	s := mcp.NewServer(&mcp.Implementation{Name: "devguard", Version: a.Version}, &mcp.ServerOptions{Instructions: instructions})
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true}
	type none struct{}
	tool(s, &mcp.Tool{Name: "status", Description: "What is served, what failed or waits and why, hooks, database sessions.", Annotations: reads},
		func(ctx context.Context, _ none) (string, error) { return a.status(ctx) })
	tool(s, &mcp.Tool{Name: "wait", Description: "Waits until the files as they are now are served, or are known not to be; says why not. Call it after each edit.", Annotations: reads}, a.wait)
	tool(s, &mcp.Tool{Name: "restart", Description: "Builds and restarts the app, and runs hooks that failed or are held. Only needed when no file was saved."},
		func(ctx context.Context, _ none) (string, error) { return a.restart(ctx) })
	tool(s, &mcp.Tool{Name: "explain", Description: "Whether a change of a file rebuilds, restarts, runs a hook, or does nothing, and why.", Annotations: reads}, a.explain)
	tool(s, &mcp.Tool{Name: "reset_connections", Description: "Ends the app's database sessions without a restart. Data is never touched."},
		func(ctx context.Context, _ none) (string, error) { return a.reset(ctx) })
	s.AddResource(&mcp.Resource{
		URI: errorsURI, Name: "errors", MIMEType: "text/plain", Description: "What has failed and has not succeeded since; empty when all is well.",
	}, a.errors)
	return s.Run(ctx, over)
}

// tool adds one whose answer is text. An error is an answer too, with its hint.
func tool[In any](s *mcp.Server, t *mcp.Tool, do func(context.Context, In) (string, error)) {
	mcp.AddTool(s, t, func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		text, err := do(ctx, in)
		if err != nil {
			text = withHint(err)
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}, IsError: err != nil}, nil, nil
	})
}

func withHint(err error) string {
	if hint := logline.HintOf(err); hint != "" {
		return err.Error() + "\nhint: " + hint
	}
	return err.Error()
}

func (a Agent) status(ctx context.Context) (string, error) {
	c, err := a.Find()
	if err != nil {
		return "", err
	}
	var s control.Status
	if err := c.Get(ctx, "/v1/status", &s); err != nil {
		return "", err
	}
	return statusText(s), nil
}

type waitInput struct {
	Seconds float64 `json:"seconds,omitempty" jsonschema:"how long to wait at most; 60 without"`
}

func (a Agent) wait(ctx context.Context, in waitInput) (string, error) {
	c, err := a.Find()
	if err != nil {
		return "", err
	}
	timeout := time.Minute
	if in.Seconds > 0 {
		timeout = time.Duration(in.Seconds * float64(time.Second))
	}
	var w control.Waited
	if err := c.Get(ctx, waitPath(timeout), &w); err != nil {
		return "", err
	}
	switch reload.Outcome(w.Outcome) {
	case reload.Served:
		return waitText(w), nil
	case reload.Failed:
		return "not served:\n" + waitText(w), nil
	case reload.Ending:
		return "", control.ErrEnded
	}
	return fmt.Sprintf("not known after %v: %s", timeout, strings.Join(w.Why, "; ")), nil
}

func (a Agent) restart(ctx context.Context) (string, error) {
	c, err := a.Find()
	if err != nil {
		return "", err
	}
	return "begun; wait says when it is done", c.Post(ctx, "/v1/restart", &struct{}{})
}

type explainInput struct {
	File string `json:"file" jsonschema:"the path, relative to where devguard mcp was started"`
}

func (a Agent) explain(ctx context.Context, in explainInput) (string, error) {
	return a.Explain(ctx, in.File)
}

func (a Agent) reset(ctx context.Context) (string, error) {
	c, err := a.Find()
	if err != nil {
		return "", err
	}
	var done control.Resets
	if err := c.Post(ctx, "/v1/reset-connections", &done); err != nil {
		return "", err
	}
	return resetText(done), nil
}

func (a Agent) errors(ctx context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	c, err := a.Find()
	if err != nil {
		return nil, err
	}
	var s control.Status
	if err := c.Get(ctx, "/v1/status", &s); err != nil {
		return nil, err
	}
	var t table
	for _, f := range s.Failures {
		t.failure(f)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: "text/plain", Text: t.String()}}}, nil
}
