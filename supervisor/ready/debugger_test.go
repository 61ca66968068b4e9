package ready

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDebuggers: which processes, and which ports of the others, are a debugger's.
func TestDebuggers(t *testing.T) {
	for _, row := range []struct {
		args, env string
		debugger  bool
		ports     []uint16
	}{
		{args: "/home/me/go/bin/dlv exec --headless --listen=127.0.0.1:2345 ./app", debugger: true},
		{args: "gdbserver :1234 ./app", debugger: true},
		{args: "python3 /usr/lib/python3/debugpy/adapter --for-server 40001 --port 5678", debugger: true},
		{args: "python3 -m debugpy --listen 5678 app.py"},
		{args: "./app --listen=127.0.0.1:2345"},
		{args: "./adapter"},
		{args: "./app", env: "PORT=3000"},
		{args: "node --inspect server.js", ports: []uint16{9229}},
		{args: "node --inspect=9230 server.js", ports: []uint16{9230}},
		{args: "node --inspect-brk=0.0.0.0:9231 server.js", ports: []uint16{9231}},
		{args: "node --inspect-wait=[::1]:9232 server.js", ports: []uint16{9232}},
		{args: "node --inspect=localhost server.js", ports: []uint16{9229}},
		{args: "node --inspector server.js"},
		{args: "node server.js", env: "NODE_OPTIONS=--max-old-space-size=4096 --inspect=9233", ports: []uint16{9233}},
		{args: "java -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005 -jar app.jar", ports: []uint16{5005}},
		{args: "java -jar app.jar", env: "JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,address=5006", ports: []uint16{5006}},
		{args: ""},
	} {
		args := strings.Split(row.args, " ")
		if got := isDebugger(args); got != row.debugger {
			t.Errorf("%q is a debugger: %v", row.args, got)
		}
		if got := debuggerPorts(args, []string{row.env}); !slices.Equal(got, row.ports) {
			t.Errorf("%q with %q: ports %v, want %v", row.args, row.env, fmt.Sprint(got), row.ports)
		}
	}
}
