package cmd

import (
	"testing"

	"github.com/devguard/devguard/supervisor/control"
)

func TestWaitText(t *testing.T) {
	failed := control.Waited{
		Outcome: "failed",
		Why:     []string{"build: main.go:1:2: oops (and 1 more)", "hook prisma: exit status 1", "restart: the last build failed"},
		Failures: []control.Failure{
			{What: "build", Errors: []control.Diagnostic{{File: "main.go", Line: 1, Column: 2, Text: "oops"}, {File: "b.go", Line: 3, Text: "more"}}},
			{What: "hook prisma", Error: "exit status 1", Hint: "look at its output"},
		},
	}
	tests := []struct {
		name string
		w    control.Waited
		want string
	}{
		{"served", control.Waited{Outcome: "served", Gen: 3}, "served by generation 3\n"},
		{"each reason once", failed, "main.go:1:2: oops\nb.go:3: more\nhook prisma: exit status 1\nhint: look at its output\nrestart: the last build failed\n"},
		{"nothing has failed itself", control.Waited{Outcome: "failed", Why: []string{"hook: held"}}, "hook: held\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := waitText(tt.w); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
