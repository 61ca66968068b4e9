package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// agent is a coding agent that has started devguard mcp.
type agent struct {
	t       *testing.T
	session *mcp.ClientSession
}

func newAgent(t *testing.T, dir string) *agent {
	t.Helper()
	cmd := exec.Command(binary(t), "mcp")
	cmd.Dir, cmd.Env = dir, cleanEnv()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &agent{t, session}
}

// call returns what a tool answers, and whether that is an error.
func (a *agent) call(tool string, args map[string]any) (text string, failed bool) {
	a.t.Helper()
	res, err := a.session.CallTool(a.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		a.t.Fatal(err)
	}
	return res.Content[0].(*mcp.TextContent).Text, res.IsError
}

// says checks that a tool answers well.
func (a *agent) says(tool string, args map[string]any, want string) {
	a.t.Helper()
	if text, failed := a.call(tool, args); failed || !strings.Contains(text, want) {
		a.t.Errorf("%s: %q, an error: %v, want %q", tool, text, failed, want)
	}
}

// errors returns the resource of that.
func (a *agent) errors() string {
	a.t.Helper()
	res, err := a.session.ReadResource(a.t.Context(), &mcp.ReadResourceParams{URI: "devguard://errors"})
	if err != nil {
		a.t.Fatal(err)
	}
	return res.Contents[0].Text
}

// An agent is answered by the devguard that runs: none yet, one, none any more, another.
func TestAgent(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server, "notes.md": ""})
	a := newAgent(t, dir)
	for _, tool := range []string{"status", "wait", "restart", "reset_connections"} {
		if text, failed := a.call(tool, nil); !failed || !strings.Contains(text, "no devguard runs") || !strings.Contains(text, "hint: start it: devguard run") {
			t.Errorf("%s: %q, an error: %v", tool, text, failed)
		}
	}
	a.says("explain", map[string]any{"file": "notes.md"}, "notes.md: nothing") // needs none
	env := []string{"PORT=" + freePort(t)}
	d := run(t, dir, env, "--name", "app")
	d.ready()
	a.says("wait", nil, "served by generation 1")
	a.says("status", nil, "generation 1 is ready")
	a.says("explain", map[string]any{"file": "main.go"}, "rebuild")
	a.says("reset_connections", nil, "no database")
	if text := a.errors(); text != "" {
		t.Errorf("errors: %q", text)
	}
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2\" + oops + \"")
	a.says("wait", map[string]any{"seconds": 60}, "not served:\nmain.go:9:24: undefined: oops")
	if text := a.errors(); !strings.Contains(text, "main.go:9:24: undefined: oops") {
		t.Errorf("errors: %q", text)
	}
	edit(t, filepath.Join(dir, "main.go"), "v2\" + oops + \"", "v2")
	a.says("wait", nil, "served by generation 2")
	a.says("restart", nil, "begun")
	a.says("wait", nil, "served by generation 3")
	if text, failed := a.call("explain", nil); !failed {
		t.Errorf("explain without a file: %q", text)
	}
	d.stop()
	if text, failed := a.call("wait", nil); !failed {
		t.Errorf("after the end: %q", text)
	}
	run(t, dir, env, "--name", "app").ready()
	a.says("wait", nil, "served by generation 1")
}

// A wait that the agent gives up is given up, and the next one is answered; one during which devguard
// ends is an error.
func TestAgentGivesUp(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": server, "schema.txt": "1", "devguard.toml": "[[hook]]\nname = \"slow\"\nwatch = [\"schema.txt\"]\nrun = \"while ! test -e go.txt; do sleep 0.05; done\"\n"})
	d := run(t, dir, []string{"PORT=" + freePort(t)}, "--name", "app")
	d.wait(0, "hook started", nil)
	a := newAgent(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: "wait"})
		given <- err
	}()
	cancel()
	if err := <-given; err == nil {
		t.Error("it was answered")
	}
	a.says("wait", map[string]any{"seconds": 0.01}, "not known after 10ms: devguard: hook slow")
	ended := make(chan string, 1)
	go func() {
		text, failed := a.call("wait", nil)
		if !failed {
			t.Errorf("it was answered: %q", text)
		}
		ended <- text
	}()
	a.says("status", nil, "nothing was started yet") // the wait has been asked before
	d.stop()
	if text := <-ended; !strings.Contains(text, "devguard") {
		t.Errorf("it says %q", text)
	}
}
